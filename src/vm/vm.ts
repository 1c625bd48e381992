import type { ProgressOptions } from '../base/progress.js';
import type {
  NativeCheck,
  NativeClock,
  NativeDigest,
  NativeExploreResult,
  NativePause,
  NativeStats,
  NativeTicker,
  VmState,
} from '../native/contract.js';
import type { VmSnapshot } from '../snapshot/snapshot.js';
import type { ClockGuarantees } from './guarantees.js';
import type { GuestKindName } from './guest-kind.js';

/**
 * A digest of RAM: the CRC-64/NVME of the bytes read, how many those were, and each page's own CRC.
 * @interface
 */
export type MemoryDigest = NativeDigest;
/** How much of RAM a digest reads, and with how many threads. */
export interface DigestOptions extends ProgressOptions {
  /** Share of the pages to read, above 0 up to 1; below 1 they are chosen by `seed`. Default 1. */
  share?: number | undefined;
  /** The same share and seed choose the same pages. 0 to 2^64 − 1, default 0. */
  seed?: number | bigint | undefined;
  /** Threads of the engine's pool to use at most, up to 4,096; 0 (default): all. */
  threads?: number | undefined;
}
/**
 * What the walk over the guest's own invariants found.
 * @interface
 */
export type CheckResult = NativeCheck;
/**
 * How long a guest took to halt, and its host to see it, in nanoseconds.
 * @interface
 */
export type PauseLatency = NativePause;
/**
 * Steps, pages written, faults and clock of a VM.
 * @interface
 */
export type VmStats = NativeStats;
/**
 * The guest's clock beside the host's.
 * @interface
 */
export type VmClock = NativeClock;
/**
 * What a guest that reads its clock felt of the pauses.
 * @interface
 */
export type TickerStats = NativeTicker;
/** The number of the epoch that ended and the pages written in it. */
export interface EpochResult {
  epoch: number;
  dirtyPages: number;
}

export interface SnapshotOptions extends ProgressOptions {
  /** Take it while the guest runs. Default false. */
  live?: boolean | undefined;
}

/** What a rollback had to write. */
export interface RollbackResult {
  /** Pages that were written. */
  pages: number;
}

export interface ExploreOptions extends ProgressOptions {
  /** How many continuations: a whole number of 1 at least. */
  runs: number;
  /** Steps of each: a whole number of 0 at least. */
  steps: number;
  /** Run k draws its chance from a seed that is derived from this and k. 0 to 2^64 − 1, default 0. */
  seed?: number | bigint | undefined;
  /** Walk the program's invariants after each run. Default true. */
  check?: boolean | undefined;
}

/**
 * What an exploration found: the first 100 of the runs that ended in a guest fault or broke an invariant, each with
 * the seed that leads there again.
 * @interface
 */
export type ExploreResult = NativeExploreResult;

/** How long a pause may wait for its guest. */
export interface PauseOptions {
  /** How long to wait for the guest to halt, in milliseconds above 0, up to an hour. Default 1,000. */
  timeoutMs?: number;
}

/**
 * A virtual machine. What stands behind it, an emulated guest or a real program, is not in this interface.
 *
 * `pause` and `resume` are synchronous: they take microseconds. What walks over much memory (`digest`, `check`) runs on
 * the engine's own threads and leaves the event loop free. A running VM does not keep the process alive; a pending
 * promise does. Which operation is allowed in which state is written down in `STATE_TABLE`; every method but `close`
 * throws (or rejects with) ERR_VM_CLOSED on a closed VM. Leaving a `using` block closes the VM.
 *
 * The RAM of a VM that was restored from a lazily loaded snapshot is mapped from the file. Where that is written to, cut
 * or cannot be read any more, the VM is 'faulted' for good, with the fault 'memory-lost', at its next halt at the latest,
 * and what reads its RAM (digest, check, read, snapshot, rollback, explore) rejects with ERR_MEMORY_LOST.
 */
export interface Vm extends Disposable, AsyncDisposable {
  readonly name: string;
  /** What stands behind it. What a kind of guest cannot do answers ERR_NOT_SUPPORTED. */
  readonly kind: GuestKindName;
  /** What a freeze does to the clocks of a guest of this kind. */
  readonly clocks: ClockGuarantees;
  /** The guest program. */
  readonly program: string;
  readonly ramBytes: number;
  readonly state: VmState;
  /**
   * A UUID of this VM's stretch of time, as a hypervisor's VM generation ID: every created, restored and cloned VM has
   * its own, and a rollback or an exploration gives it a new one.
   */
  readonly generationId: string;
  /**
   * Where its guest finds its metadata service, as 'http://127.0.0.1:8080'; undefined where its host has none. It answers
   * for as long as the host is open, also for a closed VM.
   */
  readonly metadataUrl?: string | undefined;

  /** created → running. ERR_VM_ALREADY_STARTED, ERR_VM_FAULTED; ERR_BUSY inside a freeze. */
  start(): void;

  /**
   * Halts the guest at its next safepoint, with its memory in place, and returns how long that took. Idempotent; it has
   * no budget, so the guest stands until `resume`. ERR_PAUSE_TIMEOUT where it does not halt in time: it then runs on.
   */
  pause(options?: PauseOptions): PauseLatency;

  /** paused → running. Idempotent. ERR_VM_NOT_STARTED, ERR_VM_FAULTED; ERR_BUSY inside a freeze. */
  resume(): void;

  /**
   * Starts or resumes the guest and resolves when it has halted exactly at `step` (a whole number, 0 to 2^53 − 1),
   * through any pauses and freezes in between. Rejects with ERR_STEP_PASSED, ERR_BUSY (another `runUntil` is pending,
   * or a freeze holds the VM), ERR_VM_FAULTED, or ERR_VM_CLOSED where the VM is closed meanwhile.
   */
  runUntil(step: number): Promise<void>;

  /**
   * The digest of a halted guest's RAM, of all of it or of a seeded share. ERR_VM_NOT_PAUSED; ERR_LEASE_REVOKED where
   * the guest is released while it is being read; ERR_ABORTED, ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION.
   */
  digest(options?: DigestOptions): Promise<MemoryDigest>;

  /**
   * Walks the guest program's own invariants in a halted guest's RAM. It resolves with `ok: false` and the place where
   * one does not hold. Its progress counts bytes read, towards a total that is not known: 0. ERR_VM_NOT_PAUSED;
   * ERR_LEASE_REVOKED, ERR_ABORTED, ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION.
   */
  check(options?: ProgressOptions): Promise<CheckResult>;

  /** Allowed in every state but closed; of a running guest it is a moment's view. */
  stats(): VmStats;

  /** A copy of a halted guest's registers, in the program's own layout. ERR_VM_NOT_PAUSED. */
  registers(): Uint8Array;

  /**
   * A copy of a halted guest's RAM from `gpa` on, of 1 GiB at most. ERR_VM_NOT_PAUSED; ERR_INVALID_ARGUMENT outside of RAM.
   */
  read(gpa: number, lengthBytes: number): Uint8Array;

  /** A fault: flips one bit (0 to 7) of a halted guest's RAM behind its back. ERR_VM_NOT_PAUSED, ERR_INVALID_ARGUMENT. */
  flipBit(gpa: number, bit: number): void;

  /**
   * Takes a snapshot: in time proportional to the pages written since the VM's last one. A halted VM must stay halted
   * meanwhile (ERR_VM_NOT_PAUSED, ERR_LEASE_REVOKED). With `live`, a running guest stands still for microseconds,
   * whatever the size of its RAM, and runs on while it is copied. One at a time: ERR_BUSY. Also ERR_SNAPSHOT_LIMIT,
   * ERR_OUT_OF_MEMORY, ERR_ABORTED; the VM is then as before, and runs where it ran.
   */
  snapshot(options?: SnapshotOptions): Promise<VmSnapshot>;

  /**
   * Takes a halted VM back to a snapshot of its program and RAM size: RAM, registers and clock; a fault is forgotten.
   * The state is then 'paused', guest-monotonic time continues from the snapshot, and guest wall time lags by its age
   * until it is synchronised. Proportional to the pages that differ; up to 2,048 of them are restored before the call
   * returns, more of them on the engine's threads, at the speed of memory, and cannot be interrupted. A snapshot under
   * way is cancelled. Rejects with ERR_VM_NOT_PAUSED, ERR_SNAPSHOT_MISMATCH, ERR_BUSY (in a freeze, with a `runUntil`
   * pending, or during an exploration), ERR_SNAPSHOT_DAMAGED or ERR_MEMORY_LOST (the file that the snapshot is mapped
   * from; the VM is as before, or faulted where that came in the middle).
   */
  rollback(snapshot: VmSnapshot): Promise<RollbackResult>;

  /**
   * Explores continuations of a snapshot, for fuzzers and property tests: rolls back, lets chance go another way, runs
   * `steps` steps and walks the invariants, again and again, on one of the engine's threads. The VM must be halted, is
   * busy meanwhile, and is left rolled back to the snapshot. Rejects as `rollback` does, and with ERR_ABORTED.
   */
  explore(snapshot: VmSnapshot, options: ExploreOptions): Promise<ExploreResult>;

  /** Ends the epoch of write marks; a running guest halts for it for well under a microsecond. */
  endEpoch(): EpochResult;

  /** Stops the guest and frees its RAM. Idempotent; a pending `runUntil` rejects with ERR_VM_CLOSED. */
  close(): void;
}
