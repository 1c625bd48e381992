import type { z } from 'zod';
import { didYouMean } from '../base/suggest.js';
import { BYTES, DURATION } from './fields.js';

const SHOWN_MAX = 8;
const UNITS_OF_TIME = 'units of time: ns, us, ms, s, min, h';
const UNITS_OF_MEMORY = 'units of memory: B, KiB, MiB, GiB, kB, MB, GB';

/** "did you mean 'a'?", or null where nothing known is near. */
export const meant = (name: string, known: readonly string[]): string | null =>
  didYouMean(name, known).replace(/^; /, '') || null;

/** What may have been meant, or else what there is. */
export function meantOrKnown(name: string, known: readonly string[]): string {
  if (known.length === 0) return 'there is none';
  const more = known.length > SHOWN_MAX ? `, … (${known.length} in all)` : '';
  return (
    meant(name, known) ?? `there ${known.length === 1 ? 'is' : 'are'} ${known.slice(0, SHOWN_MAX).join(', ')}${more}`
  );
}

/** For a value that is not what the schema asks for; `expected` is its phrase. */
export function hintOfValue(issue: z.core.$ZodIssue, expected: string, value: unknown): string | null {
  if (typeof value === 'string' && issue.code === 'invalid_value') return meant(value, issue.values.map(String));
  const kinds = kindsOf(issue);
  if (typeof value === 'string' && kinds.length > 0) return meant(value, kinds);
  if (value === null) return "nothing stands there; an empty object is '{}', an empty list '[]'";
  if (expected.startsWith('a duration')) return hintOfDuration(value);
  if (expected.startsWith('a share')) return typeof value === 'number' ? `did you mean '${value}%'?` : null;
  if (expected.startsWith('bytes')) return typeof value === 'string' && !BYTES.test(value) ? UNITS_OF_MEMORY : null;
  const isQuotable = typeof value === 'number' || typeof value === 'boolean';
  if (issue.code === 'invalid_type' && issue.expected === 'string' && isQuotable) {
    return `as text it is in quotes: '${value}'`;
  }
  return null;
}

/** For text or a number that is no duration. */
export function hintOfDuration(value: unknown): string | null {
  if (typeof value === 'number' || (typeof value === 'string' && /^\d+(?:\.\d+)?$/.test(value))) {
    return `did you mean '${value}ms' or '${value}s'?`;
  }
  return typeof value === 'string' && value !== '' && !DURATION.test(value) ? UNITS_OF_TIME : null;
}

/** The kinds that there are, where a union has them by a key and the value names none of them. */
export const kindsOf = (issue: z.core.$ZodIssue): string[] =>
  'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
