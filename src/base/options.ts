import { z } from 'zod';
import { StandstillError, show } from './errors.js';
import { property, unwrapped } from './schema-tree.js';
import { didYouMean } from './suggest.js';

/** A schema of the whole numbers of a range. */
export const wholeNumber = (min: number, max: number) => {
  const expected = `a whole number from ${min} to ${max}`;
  return z.number(expected).int(expected).min(min, expected).max(max, expected);
};

/**
 * Validates options against a strict schema whose every message is the phrase after "Expected". An unknown option is
 * ERR_UNKNOWN_OPTION with the nearest known names; a bad value is ERR_INVALID_OPTION; `what` names the whole.
 */
export function parseOptions<Output>(schema: z.ZodType<Output>, options: unknown, what: string): Output {
  const parsed = schema.safeParse(options, { reportInput: true });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue === undefined) throw new StandstillError('ERR_INVALID_OPTION', `Expected valid options for ${what}`);
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const name = issue.keys[0] ?? '';
    const place = path === '' ? what : `${path} of ${what}`;
    const known = knownKeys(schema, issue.path);
    throw new StandstillError('ERR_UNKNOWN_OPTION', `Unknown option '${name}' for ${place}${didYouMean(name, known)}`);
  }
  const subject = path === '' ? `the options of ${what}` : `'${path}' of ${what}`;
  // zod reports NaN with the input null, as JSON would have it.
  const received = 'received' in issue && issue.received === 'NaN' ? Number.NaN : issue.input;
  const expected = path === '' && issue.code === 'invalid_type' ? 'an object' : issue.message;
  throw new StandstillError('ERR_INVALID_OPTION', `Expected ${expected} for ${subject} but received ${show(received)}`);
}

function knownKeys(schema: unknown, path: readonly PropertyKey[]): string[] {
  let at = unwrapped(schema);
  for (const key of path) {
    at = unwrapped(typeof key === 'number' ? property(at, 'element') : property(property(at, 'shape'), key));
  }
  return Object.keys(property(at, 'shape') ?? {});
}
