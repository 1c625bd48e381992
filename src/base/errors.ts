import type { ErrorCode } from './error-codes.js';

/**
 * What everything in this package throws or rejects with. `code` is stable and explained in docs/ERRORS.md; `message`
 * reads "Expected X for Y but received Z" where a value is at fault.
 */
export class StandstillError extends Error {
  override readonly name = 'StandstillError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whether it is an error of this package, and where a code is given, of that code. */
export const isStandstillError = (error: unknown, code?: ErrorCode): error is StandstillError =>
  error instanceof StandstillError && (code === undefined || error.code === code);

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const SHOWN_CHARACTERS_MAX = 60;

/** A received value as it stands in a message: short, quoted where it is text, and never throwing. */
export function show(value: unknown): string {
  const text = describe(value);
  return text.length <= SHOWN_CHARACTERS_MAX ? text : `${text.slice(0, SHOWN_CHARACTERS_MAX)}…`;
}

/** Without the control characters that would move the cursor of a terminal, or do worse. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  text.replace(/[\0-\x1f\x7f-\x9f]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`);

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return `'${printable(value)}'`;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** The error of a value that is not what was asked for. */
export const unexpected = (code: ErrorCode, expected: string, what: string, received: unknown): StandstillError =>
  new StandstillError(code, `Expected ${expected} for ${what} but received ${show(received)}`);
