import { createHash } from 'node:crypto';
import { z } from 'zod';
import { unexpected } from '../base/errors.js';
import { parseOptions } from '../base/options.js';
import type { Progress, ProgressOptions } from '../base/progress.js';
import type {
  NativePageRange,
  NativeSnapshot,
  NativeSnapshotCost,
  NativeSnapshotState,
  NativeSnapshotUsage,
} from '../native/contract.js';
import { watched } from '../native/watched.js';

/** Pages in a row: the number of the first of them, and how many. */
export type PageRange = NativePageRange;
/** What a snapshot cost its VM and its guest. */
export type SnapshotCost = NativeSnapshotCost;
/** Which of a snapshot's pages take memory of their own. */
export type SnapshotUsage = NativeSnapshotUsage;

export const progressFields = {
  signal: z.instanceof(AbortSignal, { error: 'an AbortSignal' }).optional(),
  onProgress: z.custom<(progress: Progress) => void>((value) => typeof value === 'function', 'a function').optional(),
};
const progressSchema = z.strictObject(progressFields);

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

  get seed(): bigint {
    return this.#state.seed;
  }

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
   * never digested. docs/SNAPSHOT_FORMAT.md, "Identity".
   */
  get id(): Promise<string> {
    this.#id ??= this.#computeId();
    return this.#id;
  }

  /**
   * CRC-64/NVME of the RAM's bytes in address order; what any outside tool finds for an exported image. On the engine's
   * threads; a page is read once in its life. Rejects with ERR_ABORTED, ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION.
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

  /** A copy of RAM from `gpa` on, of 1 GiB at most. Synchronous, at memory speed. ERR_INVALID_ARGUMENT outside of RAM. */
  read(gpa: number, lengthBytes: number): Uint8Array {
    return this[nativeSnapshot].read(gpa, lengthBytes);
  }

  /** How many of its pages are zero, shared with other snapshots, or its own. */
  usage(): SnapshotUsage {
    return this[nativeSnapshot].usage();
  }

  async #computeId(): Promise<string> {
    const crcs = await watched({}, 'id', (progress) => this[nativeSnapshot].pageCrcs(progress));
    const hash = createHash('sha256').update(this[nativeSnapshot].stateBytes());
    return hash.update(new Uint8Array(crcs.buffer, crcs.byteOffset, crcs.byteLength)).digest('hex');
  }
}
