import { z } from 'zod';
import { StandstillError, unexpected } from '../base/errors.js';
import { machineMemoryBytes } from '../base/machine.js';
import { parseOptions } from '../base/options.js';
import { formatBytes, GIB, MIB, PAGE_BYTES, parseBytes } from '../base/units.js';
import type { NativePageStore, NativeVmConfig } from '../native/contract.js';
import { type ClockSyncOptions, clockSyncSchema, nativeClockSync } from './clock-sync.js';
import { findProgram, nativeParams } from './programs.js';

const RAM_BYTES_MIN = MIB;
const RAM_BYTES_MAX = 64 * GIB;
const SEED_LIMIT = 2n ** 64n;

const EXPECTED_SEED = 'a whole number from 0 to 2^64 − 1';
const EXPECTED_DUTY_CYCLE = 'a number above 0, up to 1';
const EXPECTED_NAME = 'text of 1 to 64 characters';

export const seedSchema = z
  .union([z.number().int().nonnegative(), z.bigint().nonnegative().lt(SEED_LIMIT)], EXPECTED_SEED)
  .transform(BigInt);

export const vmFields = {
  name: z.string(EXPECTED_NAME).min(1, EXPECTED_NAME).max(64, EXPECTED_NAME).optional(),
  seed: seedSchema,
  dutyCycle: z.number(EXPECTED_DUTY_CYCLE).positive(EXPECTED_DUTY_CYCLE).max(1, EXPECTED_DUTY_CYCLE).default(1),
  prefault: z.boolean('true or false').default(false),
  pinned: z.boolean('true or false').default(false),
  clockSync: clockSyncSchema.prefault({}),
};

const vmOptionsSchema = z.strictObject({
  ...vmFields,
  program: z.string('the name of a guest program'),
  params: z.record(z.string(), z.union([z.number(), z.string()], 'a number or text'), 'an object').default({}),
  memory: z.union([z.number(), z.string()], "bytes or text such as '256 MiB'").default(64 * MIB),
  seed: seedSchema.default(0n),
});

/** What a VM is created from. */
export interface VmOptions {
  /** 1 to 64 characters, unique on its host. Default: the program's name, on a host with a number, as 'kv-store-1'. */
  name?: string | undefined;
  /** One of `guestPrograms()`. */
  program: string;
  /** Parameters of the program; absent ones take their default. */
  params?: Readonly<Record<string, number | string>> | undefined;
  /** RAM in bytes or as '256 MiB': a multiple of 4 KiB, 1 MiB to 64 GiB, at most the machine's. Default 64 MiB. */
  memory?: number | string | undefined;
  /** Decides, with the number of steps, every byte of RAM: 0 to 2^64 − 1. Default 0. */
  seed?: number | bigint | undefined;
  /** Share of the time in which steps run, above 0 up to 1. Default 1. It decides when steps run, never what they do. */
  dutyCycle?: number | undefined;
  /** Touch all of RAM at creation, so that no first touch disturbs a measurement. Default false. */
  prefault?: boolean | undefined;
  /** No maintenance pauses or restarts it: patches that need to are refused while it is among the VMs. Default false. */
  pinned?: boolean | undefined;
  /**
   * How its wall clock catches up after a pause, unless a freeze or a maintenance says otherwise. After a `resume` it does
   * so without the delay. Default: stepped at once.
   */
  clockSync?: ClockSyncOptions | undefined;
}

/** Apply defaults → validate → interpret. `fallbackName` serves where the options name no VM. */
export function nativeVmConfig(
  options: VmOptions,
  fallbackName: (program: string) => string,
  pageStore: NativePageStore | null = null,
): NativeVmConfig {
  const parsed = parseOptions(vmOptionsSchema, options, 'a VM');
  const program = findProgram(parsed.program);
  return {
    name: parsed.name ?? fallbackName(program.name),
    ramBytes: checkedRamBytes(parsed.memory),
    program: program.name,
    params: nativeParams(program, parsed.params),
    seed: parsed.seed,
    dutyCycle: parsed.dutyCycle,
    prefault: parsed.prefault,
    clockSync: nativeClockSync(parsed.clockSync),
    pageStore,
  };
}

function checkedRamBytes(memory: number | string): number {
  const ramBytes = parseBytes(memory, "'memory' of a VM");
  if (ramBytes < RAM_BYTES_MIN || ramBytes > RAM_BYTES_MAX || ramBytes % PAGE_BYTES !== 0) {
    throw unexpected('ERR_INVALID_OPTION', 'a multiple of 4 KiB from 1 MiB to 64 GiB', "'memory' of a VM", memory);
  }
  assertFitsMachine(ramBytes, "'memory' of a VM");
  return ramBytes;
}

/** Throws ERR_INVALID_OPTION where the machine, or the container, has less memory than that. */
export function assertFitsMachine(bytes: number, what: string): void {
  const limitBytes = machineMemoryBytes();
  if (bytes <= limitBytes) return;
  throw new StandstillError(
    'ERR_INVALID_OPTION',
    `Expected at most this machine's ${formatBytes(limitBytes)} for ${what} but received ${formatBytes(bytes)}`,
  );
}
