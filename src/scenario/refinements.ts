import { z } from 'zod';
import type { OwnParams } from './issues.js';

/** Of these keys of an object, one has a value. */
export const exactlyOneOf = <Key extends string>(keys: readonly Key[]) =>
  z.check<Partial<Record<Key, unknown>>>(({ value, issues }) => {
    const given = keys.filter((key) => value[key] !== undefined);
    if (given.length === 1) return;
    const params: OwnParams = { received: given.join(' and ') || 'none', key: given[1] };
    issues.push({ code: 'custom', message: `one of ${keys.join(', ')}`, input: value, params: { ...params } });
  });

/** A key that has a meaning only where one of the others has a value. */
export const onlyBeside = (key: string, others: readonly string[]) =>
  z.check<Record<string, unknown>>(({ value, issues }) => {
    if (value[key] === undefined || others.some((other) => value[other] !== undefined)) return;
    const params: OwnParams = { received: 'none', key };
    const message = `${others.join(' or ')} beside ${key}`;
    issues.push({ code: 'custom', message, input: value, params: { ...params } });
  });
