import { z } from 'zod';
import { NS_PER_MS, parseBytes, parseDurationNs } from '../base/units.js';

// Without flags: the published schema holds the patterns alone.
export const DURATION = /^\d+(?:\.\d+)?\s*(?:ns|us|µs|ms|s|m|min|h)$/;
export const BYTES = /^\d+(?:\.\d+)?\s*(?:B|KiB|MiB|GiB|TiB|kB|KB|MB|GB|TB)?$/;
const SHARE = /^\d+(?:\.\d+)?\s*%$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const EXPECTED_DURATION = "a duration such as '500ms' or '30s'";
export const EXPECTED_BYTES = "bytes or text such as '64MiB'";
export const EXPECTED_SHARE = "a share such as '80%'";
export const EXPECTED_NAME =
  'a name of 1 to 64 letters, digits, dots, dashes and underscores that begins with a letter or digit';
const DAY_MS = 24 * 3_600_000;

interface Range {
  /** Whether none at all is a duration here. */
  readonly isZeroAllowed?: boolean;
  /** Default 24 h. */
  readonly maxMs?: number;
}

/** Text with a unit of time; milliseconds in the output. */
export function duration({ isZeroAllowed = true, maxMs = DAY_MS }: Range = {}) {
  const limit = maxMs === DAY_MS ? '24h' : `${maxMs / 1000}s`;
  const expected = `${EXPECTED_DURATION}, ${isZeroAllowed ? '' : 'above 0, '}up to ${limit},`;
  const isInRange = (milliseconds: number) => milliseconds <= maxMs && (isZeroAllowed || milliseconds > 0);
  return z
    .string(expected)
    .regex(DURATION, { error: expected, abort: true })
    .refine((text) => isInRange(milliseconds(text)), expected)
    .transform(milliseconds);
}

/** A number of bytes or text with a unit; bytes in the output. */
export function bytes(expected: string, isInRange: (bytes: number) => boolean) {
  const isGood = (value: number | string) => {
    const read = typeof value === 'number' || BYTES.test(value) ? bytesOf(value) : Number.NaN;
    return Number.isSafeInteger(read) && isInRange(read);
  };
  return z
    .union([z.number(), z.string().regex(BYTES, { error: expected, abort: true })], expected)
    .refine(isGood, expected)
    .transform(bytesOf);
}

/** Text such as '80%'; a share from 0 to 1 in the output. */
export const share = () =>
  z
    .string(EXPECTED_SHARE)
    .regex(SHARE, { error: EXPECTED_SHARE, abort: true })
    .refine((text) => Number.parseFloat(text) <= 100, "a share up to '100%'")
    .transform((text) => Number.parseFloat(text) / 100);

export const name = () => z.string(EXPECTED_NAME).regex(NAME, EXPECTED_NAME);

export const text = (expected: string, charactersMax = 4096) =>
  z
    .string(expected)
    .min(1, expected)
    .max(charactersMax, expected)
    .refine((value) => !value.includes('\0'), expected);

/** A name, or names; an array in the output. */
export const names = (expected: string) => {
  const one = z.string(expected).min(1, expected);
  return z.array(one, expected).min(1, 'at least one name');
};

const milliseconds = (value: string): number => parseDurationNs(value, 'a duration') / NS_PER_MS;

function bytesOf(value: number | string): number {
  if (typeof value === 'number') return value;
  return /[a-z]/i.test(value) ? parseBytes(value, 'memory') : Number(value);
}
