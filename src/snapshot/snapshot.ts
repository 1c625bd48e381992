import { z } from 'zod';
import { unexpected } from '../base/errors.js';
import { parseOptions } from '../base/options.js';
import { type ProgressOptions, progressFields } from '../base/progress.js';
import { addon } from '../native/addon.js';
import type {
  NativePageStore,
  NativeSnapshot,
  NativeSnapshotCost,
  NativeSnapshotState,
  NativeSnapshotUsage,
} from '../native/contract.js';
import { watched } from '../native/watched.js';
import type { PageRange } from './diff.js';
import { writeElf, writeRaw } from './export.js';
import { identify, openFile, parsePath, pathSchema } from './file.js';
import { type Identified, identityOf } from './identity.js';
import { chainOf, loadChain, mapFile } from './load.js';
import { compressSchema, type SaveOptions, writeFile } from './save.js';
import { ownPageStore } from './store.js';

/**
 * What a snapshot cost its VM and its guest.
 * @interface
 */
export type SnapshotCost = NativeSnapshotCost;
/**
 * Which of a snapshot's pages take memory of their own.
 * @interface
 */
export type SnapshotUsage = NativeSnapshotUsage;

export interface SnapshotSaveOptions extends SaveOptions {
  /** Write only the pages that differ from this snapshot, of the same RAM size; the file then needs it to be loaded. */
  base?: VmSnapshot | undefined;
}

export interface SnapshotLoadOptions extends ProgressOptions {
  /**
   * What a differential file builds on, and what that does in its turn: snapshots, or paths of files. Those that are not
   * needed are left alone. Default: none.
   */
  bases?: readonly (VmSnapshot | string)[] | undefined;
  /**
   * Leave the RAM of a file that is neither compressed nor differential in the file, and map it: nothing of it is read
   * now. False: read it into memory. Default true.
   */
  lazy?: boolean | undefined;
  /**
   * Have every byte of a lazily loaded file checked before the promise resolves, as `verifySnapshotFile` does. Default
   * false: what the host reads of it is checked then; what a guest reads first is not.
   */
  verify?: boolean | undefined;
}

const EXPECTED_BASES = 'snapshots or paths of files';
const snapshotSchema = z.custom<VmSnapshot>((value) => value instanceof VmSnapshot, 'a snapshot');
const progressSchema = z.strictObject(progressFields);
const saveSchema = z.strictObject({ compress: compressSchema, base: snapshotSchema.optional(), ...progressFields });
const loadSchema = z.strictObject({
  lazy: z.boolean('true or false').default(true),
  verify: z.boolean('true or false').default(false),
  bases: z.array(z.union([snapshotSchema, pathSchema], EXPECTED_BASES), EXPECTED_BASES).default([]),
  ...progressFields,
});

/** The engine's handle of a snapshot. */
export const nativeSnapshot: unique symbol = Symbol('standstill.nativeSnapshot');

/** Throws ERR_INVALID_OPTION where it is no snapshot of this library. */
export function nativeSnapshotOf(snapshot: VmSnapshot, what: string): NativeSnapshot {
  if (snapshot instanceof VmSnapshot) return snapshot[nativeSnapshot];
  throw unexpected('ERR_INVALID_OPTION', 'a snapshot', what, snapshot);
}

/** Wraps what the engine has made. */
export const wrapSnapshot: (native: NativeSnapshot, cost?: SnapshotCost) => VmSnapshot = (native, cost) =>
  construct(native, cost);
let construct: typeof wrapSnapshot;

/**
 * A whole VM at one step: RAM, registers and clock. Immutable; it shares the pages that did not change with the
 * snapshots before it, and outlives its VM. Its memory is freed when it is collected.
 */
export class VmSnapshot {
  /** @internal */
  readonly [nativeSnapshot]: NativeSnapshot;
  /** What taking it cost; undefined for one that was loaded. */
  readonly cost: SnapshotCost | undefined;
  readonly #state: NativeSnapshotState;
  #id: Promise<string> | undefined;

  static {
    construct = (native, cost) => new VmSnapshot(native, cost);
  }

  private constructor(native: NativeSnapshot, cost: SnapshotCost | undefined) {
    this[nativeSnapshot] = native;
    this.cost = cost;
    this.#state = native.state();
  }

  /** The name of the VM that it was taken of. */
  get vmName(): string {
    return this.#state.vmName;
  }

  /** The guest program. */
  get program(): string {
    return this.#state.program;
  }

  /** The program's parameters, by name, as numbers. */
  get params(): Readonly<Record<string, number>> {
    return this.#state.params;
  }

  /** What decided the guest. */
  get seed(): bigint {
    return this.#state.seed;
  }

  /** The size of its RAM. */
  get ramBytes(): number {
    return this.#state.ramBytes;
  }

  /** How many steps the guest had made. */
  get steps(): number {
    return this.#state.steps;
  }

  /** The guest's monotonic clock then, in nanoseconds. */
  get guestMonotonicNs(): number {
    return this.#state.guestMonotonicNs;
  }

  /** The guest's wall clock then, in nanoseconds since the epoch. */
  get guestWallNs(): bigint {
    return this.#state.guestWallNs;
  }

  /** When it was taken, by the host's wall clock. */
  get takenAt(): Date {
    return new Date(Number(this.#state.takenWallNs / 1_000_000n));
  }

  /** A copy of the registers, in the program's own layout. */
  registers(): Uint8Array {
    return this.#state.registers.slice();
  }

  /**
   * SHA-256 over the machine's state and the CRC of each page, as 64 hexadecimal digits: equal for two snapshots if and
   * only if RAM, registers, clock, program, parameters, seed and step are. The first call reads the pages that were
   * never digested; for progress and cancellation, await `digest` before it. docs/SNAPSHOT_FORMAT.md, "Identity".
   */
  get id(): Promise<string> {
    this.#id ??= this.#computeId();
    return this.#id;
  }

  /**
   * Loads a file. Header and tables are checked in any case.
   *
   * A file that is neither compressed nor differential is left where it is and mapped, unless `lazy` is false: it loads
   * in milliseconds, takes no memory, and a VM restored from it runs at once, the pages coming as they are touched. What
   * the host reads of it (a digest, a save, a rollback) is checked against the CRCs in the file, and rejects with
   * ERR_SNAPSHOT_DAMAGED; what a guest reads is not: give `verify` where the file may be damaged. Keep the file as it
   * is: a new name, a new file in its place or its removal do no harm; but where it is written to, cut or cannot be
   * read, operations on the snapshot reject with ERR_MEMORY_LOST, and VMs restored from it are faulted ('memory-lost').
   * The file is held open until the snapshot and those VMs are gone.
   *
   * Others are read into memory and every byte is checked, on the engine's threads, at about the speed of memory once
   * the file is cached.
   *
   * It belongs to no host: its pages are where those of the base are, else in a place of their own, capped at half the
   * machine's memory. `host.loadSnapshot` is the same under the cap of a host. Rejects with ERR_SNAPSHOT_DAMAGED,
   * ERR_SNAPSHOT_IO, ERR_SNAPSHOT_MISMATCH (a base is missing), ERR_SNAPSHOT_LIMIT, ERR_MEMORY_LOST (changed
   * meanwhile), ERR_OUT_OF_MEMORY, ERR_ABORTED, ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION.
   */
  static async load(path: string, options: SnapshotLoadOptions = {}): Promise<VmSnapshot> {
    return await loadSnapshot(path, options, undefined);
  }

  /**
   * Writes one file, of the pages that are not zero. It is written beside the path and flushed before it takes the place
   * of what was there: whatever happens, the old file or the new one is whole. What a killed process left is removed by
   * the next save to that path. On the engine's threads; compression on Node's, of which one is left free. Rejects with
   * ERR_SNAPSHOT_IO, ERR_SNAPSHOT_MISMATCH (the base is of another size), ERR_OUT_OF_MEMORY, ERR_ABORTED,
   * ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION. docs/SNAPSHOT_FORMAT.md.
   */
  async save(path: string, options: SnapshotSaveOptions = {}): Promise<void> {
    const { compress, base, ...watch } = parseOptions(saveSchema, options, 'a save');
    const target = parsePath(path, 'a save');
    await watched(watch, 'save', (progress) =>
      writeFile(target, identified(this), base === undefined ? undefined : identified(base), compress, progress),
    );
  }

  /**
   * Writes the RAM alone, flat and sparse: its CRC-64/NVME by any outside tool is the digest. As crash-safe as `save`,
   * on the engine's threads. Rejects with ERR_SNAPSHOT_IO, ERR_OUT_OF_MEMORY, ERR_ABORTED, ERR_INVALID_OPTION,
   * ERR_UNKNOWN_OPTION.
   */
  async exportRaw(path: string, options: ProgressOptions = {}): Promise<void> {
    const parsed = parseOptions(progressSchema, options, 'an export');
    const target = parsePath(path, 'an export');
    await watched(parsed, 'export', (progress) => writeRaw(target, identified(this), progress));
  }

  /**
   * Writes an ELF64 core file, sparse: the RAM at guest addresses from 0 on, for a debugger to read; registers, program,
   * step and id as notes. As `exportRaw` otherwise. docs/SNAPSHOT_FORMAT.md, "Exports".
   */
  async exportElf(path: string, options: ProgressOptions = {}): Promise<void> {
    const parsed = parseOptions(progressSchema, options, 'an export');
    const target = parsePath(path, 'an export');
    await watched(parsed, 'export', (progress) => writeElf(target, identified(this), progress));
  }

  /**
   * CRC-64/NVME of the RAM's bytes in address order; what any outside tool finds for an exported image. On the engine's
   * threads; a page in memory is read once in its life, one in a file each time. Rejects with ERR_ABORTED,
   * ERR_SNAPSHOT_DAMAGED, ERR_MEMORY_LOST (both: of one that is mapped from a file), ERR_INVALID_OPTION,
   * ERR_UNKNOWN_OPTION.
   */
  async digest(options: ProgressOptions = {}): Promise<bigint> {
    const parsed = parseOptions(progressSchema, options, 'a digest');
    return await watched(parsed, 'digest', (progress) => this[nativeSnapshot].digest(progress));
  }

  /**
   * The pages whose bytes differ from the other's, as ranges in address order. Rejects with ERR_SNAPSHOT_MISMATCH (RAM
   * of another size), ERR_ABORTED, ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION.
   */
  async diff(other: VmSnapshot, options: ProgressOptions = {}): Promise<PageRange[]> {
    const parsed = parseOptions(progressSchema, options, 'a diff');
    return await watched(parsed, 'diff', (progress) =>
      this[nativeSnapshot].diff(nativeSnapshotOf(other, 'a diff'), progress),
    );
  }

  /**
   * A copy of RAM from `gpa` on, of 1 GiB at most. Synchronous, at memory speed. ERR_INVALID_ARGUMENT outside of RAM;
   * ERR_SNAPSHOT_DAMAGED, ERR_MEMORY_LOST.
   */
  read(gpa: number, lengthBytes: number): Uint8Array {
    return this[nativeSnapshot].read(gpa, lengthBytes);
  }

  /** How many of its pages are zero, shared with other snapshots, or its own. */
  usage(): SnapshotUsage {
    return this[nativeSnapshot].usage();
  }

  async #computeId(): Promise<string> {
    const crcs = await watched({}, 'id', (progress) => this[nativeSnapshot].pageCrcs(progress));
    return identityOf(this[nativeSnapshot].stateBytes(), crcs);
  }
}

/** Loads a file into a host's page store, or, undefined, into that of its base or one of its own. */
export async function loadSnapshot(
  path: string,
  options: SnapshotLoadOptions,
  store: NativePageStore | undefined,
): Promise<VmSnapshot> {
  const { bases, lazy, verify, ...watch } = parseOptions(loadSchema, options, 'a load');
  const source = parsePath(path, 'a load');
  const native = await watched(watch, 'load', async (progress) => {
    const candidates = await Promise.all(
      bases.map((base) => (typeof base === 'string' ? openFile(base) : identified(base))),
    );
    const file = await addon.openSnapshotFile(source);
    if (lazy && file.mappable()) return await mapFile(source, file, verify, store ?? ownPageStore(), progress);
    const chain = await chainOf(identify(source, file), candidates, progress);
    return await loadChain(chain, store ?? chain.base?.native.pageStore() ?? ownPageStore(), progress);
  });
  return wrapSnapshot(native);
}

const identified = (snapshot: VmSnapshot): Identified => ({ native: snapshot[nativeSnapshot], id: () => snapshot.id });
