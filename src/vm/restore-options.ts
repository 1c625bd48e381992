import { z } from 'zod';
import { unexpected } from '../base/errors.js';
import { parseOptions } from '../base/options.js';
import { type ProgressOptions, progressFields } from '../base/progress.js';
import type { NativePageStore, NativeRestoreConfig } from '../native/contract.js';
import { type ClockSyncOptions, nativeClockSync } from './clock-sync.js';
import { vmFields } from './options.js';

const CLONES_MAX = 100_000;

/** Throws ERR_INVALID_OPTION. */
export function assertCloneCount(count: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= CLONES_MAX) return;
  const expected = `a whole number from 1 to ${CLONES_MAX}`;
  throw unexpected('ERR_INVALID_OPTION', expected, 'the number of clones', count);
}

const restoreFields = {
  name: vmFields.name,
  dutyCycle: vmFields.dutyCycle,
  seed: vmFields.seed.optional(),
  pinned: vmFields.pinned,
  clockSync: vmFields.clockSync,
  ...progressFields,
};
const restoreSchema = z.strictObject({ ...restoreFields, prefault: vmFields.prefault });
const cloneSchema = z.strictObject(restoreFields);

/** How a VM begins at a snapshot. Program, parameters and RAM size are the snapshot's. */
export interface RestoreOptions extends ProgressOptions {
  /** 1 to 64 characters, unique on its host. Default: the program's name with a number. */
  name?: string | undefined;
  /** Share of the time in which steps run, above 0 up to 1. Default 1. */
  dutyCycle?: number | undefined;
  /** Lets chance go another way from here on: 0 to 2^64 − 1. Default: as the snapshot's VM would have gone on. */
  seed?: number | bigint | undefined;
  /** Touch all of RAM at creation. Default false. */
  prefault?: boolean | undefined;
  /** As that of a created VM. Default false. */
  pinned?: boolean | undefined;
  /** As that of a created VM: it is no part of a snapshot. Default: stepped at once. */
  clockSync?: ClockSyncOptions | undefined;
}

/** How clones begin. `name` is what their names begin with; with `seed`, clone k (from 0) goes on with seed + k. */
export type CloneOptions = Omit<RestoreOptions, 'prefault'>;

/** Apply defaults → validate, for a copy (`prefault` is known there) or for clones. */
export function parseRestoreOptions(options: RestoreOptions) {
  return parseOptions(restoreSchema, options, 'a restore');
}
export function parseCloneOptions(options: CloneOptions) {
  return { ...parseOptions(cloneSchema, options, 'a clone'), prefault: false };
}
type Parsed = ReturnType<typeof parseRestoreOptions>;

const SEED_BITS = 64;

/** The configuration of the VM that is the `index`-th to begin there. */
export function nativeRestoreConfig(
  { dutyCycle, prefault, seed, clockSync }: Pick<Parsed, 'dutyCycle' | 'prefault' | 'seed' | 'clockSync'>,
  pageStore: NativePageStore,
  vm: { readonly name: string; readonly clone: boolean; readonly index: number },
): NativeRestoreConfig {
  return {
    name: vm.name,
    dutyCycle,
    prefault,
    clockSync: nativeClockSync(clockSync),
    pageStore,
    clone: vm.clone,
    seed: seed === undefined ? null : BigInt.asUintN(SEED_BITS, seed + BigInt(vm.index)),
  };
}
