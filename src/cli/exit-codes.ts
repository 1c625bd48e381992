import type { ErrorCode } from '../base/error-codes.js';
import { isStandstillError } from '../base/errors.js';

export const EXIT_OK = 0;
/** What was asked for was done, and the answer is no: memory not preserved, budget not kept, runs that differ. */
export const EXIT_NOT_OK = 1;
export const EXIT_USAGE = 2;
/** The gate could not tell: too noisy, or too little to compare. */
export const EXIT_UNDECIDED = 3;

/** 128 + the number of the signal, as shells have it. */
export const EXIT_BY_SIGNAL = { SIGINT: 130, SIGTERM: 143 } as const;

const USAGE_CODES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ERR_INVALID_ARGUMENT',
  'ERR_INVALID_OPTION',
  'ERR_UNKNOWN_OPTION',
  'ERR_UNKNOWN_PROGRAM',
  'ERR_UNKNOWN_PARAMETER',
  'ERR_ADDRESS_PUBLIC',
  'ERR_PATCH_NOT_FOUND',
  'ERR_PATCH_INVALID',
  'ERR_PROBE_INVALID',
  'ERR_KEY_INVALID',
  'ERR_SCENARIO_INVALID',
  // Exit code 1 of the gate is a regression, and there was none to see.
  'ERR_GATE_INPUT',
  'ERR_GATE_UNITS',
  'ERR_GATE_COMMAND',
  'ERR_RECORD_INVALID',
]);

export const exitCodeOf = (error: unknown): number =>
  isStandstillError(error) && USAGE_CODES.has(error.code) ? EXIT_USAGE : EXIT_NOT_OK;
