import { unexpected } from '../base/errors.js';
import { parseDurationNs } from '../base/units.js';

export const DAY_MS = 24 * 3_600_000;

/** A whole number in its range, or ERR_INVALID_OPTION that names the flag. */
export function wholeNumber(flag: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const number = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isInteger(number) && number >= min && number <= max) return number;
    throw unexpected('ERR_INVALID_OPTION', `a whole number from ${min} to ${max}`, flag, text);
  };
}

/** Milliseconds from '30s', '200ms'; above 0, at most `maxMs`. */
export function durationMs(flag: string, maxMs: number): (text: string) => number {
  return (text) => {
    const milliseconds = parseDurationNs(text, flag) / 1e6;
    if (milliseconds > 0 && milliseconds <= maxMs) return milliseconds;
    throw unexpected('ERR_INVALID_OPTION', `a duration above 0, up to ${maxMs / 1000}s,`, flag, text);
  };
}

/** Milliseconds from '30s', '200ms', '0s'; at most `maxMs`. */
export function waitMs(flag: string, maxMs: number): (text: string) => number {
  return (text) => {
    const milliseconds = parseDurationNs(text, flag) / 1e6;
    if (milliseconds <= maxMs) return milliseconds;
    throw unexpected('ERR_INVALID_OPTION', `a duration up to ${maxMs / 1000}s`, flag, text);
  };
}

/** For a flag that may be given several times. */
export const collect = (value: string, previous: readonly string[] = []): string[] => [...previous, value];
