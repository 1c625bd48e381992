import { StandstillError, unexpected } from '../base/errors.js';
import { didYouMean } from '../base/suggest.js';
import { parseBytes } from '../base/units.js';
import { addon } from '../native/addon.js';
import type { NativeParam, NativeProgram } from '../native/contract.js';

/**
 * A guest program: its name, what it does, and the parameters that it takes with their defaults and ranges.
 * @interface
 */
export type GuestProgram = NativeProgram;
/**
 * One parameter of a guest program. Of kind 'bytes' it takes '16 MiB' too, of kind 'choice' one of `choices`.
 * @interface
 */
export type GuestProgramParam = NativeParam;
/** Parameters by name, as a user gives them. */
export type ProgramParams = Readonly<Record<string, number | string>>;

/** The guest programs of this build, in the order of the engine's table. */
export function guestPrograms(): GuestProgram[] {
  return addon.programs();
}

/** Throws ERR_UNKNOWN_PROGRAM, with the nearest names. */
export function findProgram(name: string): GuestProgram {
  const programs = guestPrograms();
  const program = programs.find((candidate) => candidate.name === name);
  if (program !== undefined) return program;
  const names = programs.map((candidate) => candidate.name);
  throw new StandstillError(
    'ERR_UNKNOWN_PROGRAM',
    `Expected one of ${names.join(', ')} for 'program' but received '${name}'${didYouMean(name, names)}`,
  );
}

/** The numbers that the engine takes. Throws ERR_UNKNOWN_PARAMETER or ERR_INVALID_OPTION. */
export function nativeParams(program: GuestProgram, params: ProgramParams): Record<string, number> {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, nativeParam(program, name, value)]));
}

function nativeParam(program: GuestProgram, name: string, value: number | string): number {
  const param = program.params.find((candidate) => candidate.name === name);
  if (param === undefined) {
    const names = program.params.map((candidate) => candidate.name);
    throw new StandstillError(
      'ERR_UNKNOWN_PARAMETER',
      `Unknown parameter '${name}' of program '${program.name}'${didYouMean(name, names)}`,
    );
  }
  const number = numberOf(param, value);
  if (number === undefined || !(number >= param.min && number <= param.max)) {
    throw unexpected('ERR_INVALID_OPTION', expectedOf(param), `parameter '${name}' of '${program.name}'`, value);
  }
  return number;
}

function numberOf(param: GuestProgramParam, value: number | string): number | undefined {
  if (param.kind === 'bytes') return parseBytes(value, `parameter '${param.name}'`);
  if (param.kind === 'choice') {
    const index = param.choices.indexOf(String(value));
    return index === -1 ? undefined : index;
  }
  if (typeof value !== 'number' || (param.kind === 'integer' && !Number.isInteger(value))) return undefined;
  return value;
}

function expectedOf(param: GuestProgramParam): string {
  if (param.kind === 'choice') return `one of ${param.choices.join(', ')}`;
  const noun = { integer: 'a whole number', fraction: 'a number', bytes: 'bytes' }[param.kind];
  return `${noun} from ${param.min} to ${param.max}`;
}
