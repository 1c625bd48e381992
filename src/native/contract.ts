/**
 * The addon's type contract, written by hand: exactly what native/addon/ offers, and nothing of it is policy.
 *
 * Units: `…AtNs` are stamps on CLOCK_MONOTONIC (the clock of `process.hrtime`), as BigInt; `…Ns` are durations, as
 * numbers: below 2^53 for 104 days. Steps are numbers for the same reason: one takes about a nanosecond at least.
 * Every method throws (or rejects with) a `StandstillError`, made by the constructor handed to `initialise`.
 */

import type { NativeProcesses } from './process-contract.js';
import type { NativeSnapshotFiles } from './snapshot-file-contract.js';

/** The states of a VM; 'idle' is a running guest that sleeps by itself. */
export type VmState = 'created' | 'running' | 'idle' | 'pausing' | 'paused' | 'faulted' | 'closed';

export interface NativeParam {
  name: string;
  summary: string;
  kind: 'integer' | 'fraction' | 'bytes' | 'choice';
  /** kind 'bytes': 0 stands for the whole RAM; kind 'choice': an index into `choices`. */
  default: number;
  min: number;
  max: number;
  choices: string[];
}

export interface NativeProgram {
  name: string;
  summary: string;
  /** Records what it felt of pauses in `NativeStats.ticker`. */
  readsClock: boolean;
  params: NativeParam[];
}

export interface NativeVmConfig {
  name: string;
  /** A multiple of 4096 from 1 MiB to 64 GiB, at most the machine's physical memory. */
  ramBytes: number;
  program: string;
  /** By parameter name; absent ones take their default. */
  params: Record<string, number>;
  seed: bigint;
  /** Share of the time in which steps run, in (0, 1]. */
  dutyCycle: number;
  prefault: boolean;
  /** After each pause, unless a freeze says otherwise; null or absent: a step at once. */
  clockSync?: NativeClockSync | null;
  /** Where its snapshots keep their pages; null or absent: in a store of its own, with half the machine's memory as its cap. */
  pageStore?: NativePageStore | null;
}

/** A VM that begins at a snapshot; the rest of what it is made of is the snapshot's. */
export interface NativeRestoreConfig {
  name: string;
  dutyCycle: number;
  prefault: boolean;
  clockSync?: NativeClockSync | null;
  pageStore: NativePageStore | null;
  /** Share the memory of the snapshot's image, copy-on-write. */
  clone: boolean;
  /** Chance goes another way from here on; null: as the snapshot's VM would have. */
  seed: bigint | null;
}

export interface NativeClock {
  guestMonotonicNs: number;
  /** Nanoseconds since the epoch. */
  guestWallNs: bigint;
  /** Host wall − guest wall. */
  lagNs: number;
  /** Sum of the pauses so far: what guest-monotonic time has not seen. */
  pausedTotalNs: number;
}

export interface NativeHistogram {
  maxNs: number;
  /** Occupied buckets only: [lower bound in ns, count]. */
  buckets: [number, number][];
}

export interface NativeTicker {
  ticks: number;
  /** Sum over all ticks of true gap − guest-monotonic gap; equals `pausedTotalNs` of the pauses ticked over. */
  hiddenTotalNs: number;
  /** Maxima since the last freeze began. */
  guestGapMaxNs: number;
  trueGapMaxNs: number;
  wallJumpMaxNs: number;
  guestGap: NativeHistogram;
  trueGap: NativeHistogram;
}

export interface NativeFault {
  /** 'memory-lost': no doing of the guest's: the file that its RAM is mapped from was changed, cut or cannot be read. */
  kind: 'out-of-range' | 'misaligned' | 'memory-lost';
  /** Guest physical address; of lost memory the first page that was missed, or 0 where the file was found changed. */
  gpa: number;
  sizeBytes: number;
  step: number;
}

export interface NativeStats {
  state: VmState;
  steps: number;
  /** The epoch under way, the newest folded one, and pages written: in the newest folded one, and in all. */
  epoch: number;
  foldedEpoch: number;
  dirtyPages: number;
  dirtyPagesTotal: number;
  fault: NativeFault | null;
  clock: NativeClock;
  ticker: NativeTicker | null;
}

export interface NativeDigestOptions {
  /** Share of the pages to read, in (0, 1]; below 1 they are chosen by `seed`, the same ones for the same seed. */
  share?: number;
  seed?: bigint;
  /** Threads of the engine's pool to use at most; 0 (default): all. */
  threads?: number;
}

export interface NativeDigest {
  /** CRC-64/NVME of the bytes read, in address order. */
  value: bigint;
  bytesRead: number;
  /** Each page's own CRC; 0 for one that was not read. */
  pageCrcs: BigUint64Array;
  elapsedNs: number;
}

export interface NativeCheck {
  ok: boolean;
  itemsChecked: number;
  violation: string | null;
  gpa: number;
}

export interface NativePause {
  /** Request to the guest's own halt stamp; 0 where it was halted already. */
  haltNs: number;
  /** Request to the host's observation of it. */
  latencyNs: number;
}

/** By which work on the engine's pool is watched and cancelled. */
export interface NativeProgress {
  /** For work of which a part is done here: it begins anew, and so much more of it is done. */
  begin(total: number): void;
  add(done: number): void;
  done(): number;
  /** 0 until it is known. */
  total(): number;
  cancel(): void;
  cancelled(): boolean;
}

export interface NativePageStoreUsage {
  limitBytes: number;
  /** In pages that snapshots hold or have reserved. */
  heldBytes: number;
  /** With memory behind them, what is kept for the next snapshot too. */
  residentBytes: number;
}

export interface NativePageStore {
  usage(): NativePageStoreUsage;
}

export interface NativeSnapshotState {
  vmName: string;
  program: string;
  params: Record<string, number>;
  seed: bigint;
  ramBytes: number;
  steps: number;
  registers: Uint8Array;
  guestMonotonicNs: number;
  guestWallNs: bigint;
  /** The host's wall clock when it was taken. */
  takenWallNs: bigint;
}

export interface NativePageRange {
  firstPage: number;
  pageCount: number;
}

export interface NativeSnapshotUsage {
  /** Pages of zeroes, which take no memory. */
  zeroPages: number;
  /** Pages in the file that the snapshot is mapped from, which take none either. */
  filePages: number;
  /** Pages that other snapshots, or the VM's last one, hold too. */
  sharedPages: number;
  /** Pages that are freed with the snapshot. */
  privatePages: number;
  /** Pages of the image that its clones share, once there is one. */
  imagePages: number;
}

export interface NativeSnapshot {
  state(): NativeSnapshotState;
  /** Where its pages are. */
  pageStore(): NativePageStore;
  /** The state as bytes, as a file has it and the id is taken over. */
  stateBytes(): Uint8Array;
  digest(progress: NativeProgress): Promise<bigint>;
  pageCrcs(progress: NativeProgress): Promise<BigUint64Array>;
  diff(other: NativeSnapshot, progress: NativeProgress): Promise<NativePageRange[]>;
  read(gpa: number, length: number): Uint8Array;
  usage(): NativeSnapshotUsage;
}

export interface NativeSnapshotCost {
  /** From the guest's own halt stamp to its own resume stamp; 0 for a guest that was halted. */
  blackoutNs: number;
  /** From the end of the epoch until all was saved; the guest of a live snapshot runs meanwhile. */
  copyNs: number;
  /** The rest is shared with the VM's last snapshot, or zero. */
  pagesCopied: number;
  /** Of these, copied by the guest itself before its first write to them. */
  pagesByGuest: number;
  /** How often, and for how long at most, the guest waited for a page in the copier's hands. */
  guestWaits: number;
  guestWaitMaxNs: number;
  /** Steps that the guest made during the copy. */
  guestSteps: number;
}

export interface NativeExploreOptions {
  runs: number;
  steps: number;
  seed: bigint;
  check: boolean;
}

export interface NativeExploreFinding {
  run: number;
  seed: bigint;
  step: number;
  fault: NativeFault | null;
  check: NativeCheck;
}

export interface NativeExploreResult {
  runs: number;
  findingsTotal: number;
  /** The first 100 of them. */
  findings: NativeExploreFinding[];
  pagesRestored: number;
  /** The rollbacks' share of elapsedNs. */
  rollbackNs: number;
  elapsedNs: number;
}

export interface NativeVm {
  readonly name: string;
  readonly program: string;
  readonly ramBytes: number;
  state(): VmState;
  start(): void;
  /** Idempotent. ERR_PAUSE_TIMEOUT where the guest reaches no safepoint in time; it then runs on. */
  pause(timeoutNs: number): NativePause;
  /** Idempotent; ERR_BUSY while a freeze holds the VM. */
  resume(): void;
  /**
   * Resolves when the guest has halted exactly at `step` (state paused), through any pauses and freezes in between;
   * starts or resumes the guest. Rejects with ERR_VM_CLOSED or ERR_VM_FAULTED where the guest ends first, and with
   * ERR_STEP_PASSED, ERR_BUSY (another runUntil pending, or in a freeze). `resume()` while pending keeps the target.
   */
  runUntil(step: number): Promise<void>;
  /** On the engine's pool, needs a halted guest; ERR_LEASE_REVOKED where the guest is released meanwhile. */
  digest(options?: NativeDigestOptions, progress?: NativeProgress): Promise<NativeDigest>;
  /** The progress counts bytes read, towards a total that is not known. */
  check(progress?: NativeProgress): Promise<NativeCheck>;
  stats(): NativeStats;
  /** A copy of the registers; needs a halted guest. */
  registers(): Uint8Array;
  /** A copy of RAM; needs a halted guest. */
  read(gpa: number, length: number): Uint8Array;
  /** A fault: flips one bit of a halted guest's RAM behind its back. */
  flipBit(gpa: number, bit: number): void;
  /** ERR_VM_NOT_PAUSED for a running guest, unless live; ERR_BUSY, ERR_SNAPSHOT_LIMIT, ERR_LEASE_REVOKED, ERR_ABORTED. */
  snapshot(live: boolean, progress: NativeProgress): Promise<{ snapshot: NativeSnapshot; cost: NativeSnapshotCost }>;
  /**
   * Resolves with the number of pages written. Up to 2,048 of them are written before the call returns. Throws or
   * rejects with ERR_VM_NOT_PAUSED, ERR_SNAPSHOT_MISMATCH, ERR_BUSY.
   */
  rollback(snapshot: NativeSnapshot): Promise<number>;
  explore(
    snapshot: NativeSnapshot,
    options: NativeExploreOptions,
    progress: NativeProgress,
  ): Promise<NativeExploreResult>;
  /** Ends the epoch under way (halting a running guest for well under a microsecond) and folds it. */
  endEpoch(): { epoch: number; dirtyPages: number };
  /** Idempotent; stops and joins the guest thread and frees the RAM; ends a freeze's hold on this VM. */
  close(): void;
}

/** A deferred proof of one VM's memory; no snapshot of the VM is taken until it is finished or closed. */
export interface NativeProof {
  /** In the freeze: reads the pages written since `prepareProof`, and answers how many. ERR_LEASE_REVOKED, ERR_VM_NOT_PAUSED. */
  atHalt(): Promise<number>;
  /** After the release: reads all of RAM as it stood at the release, behind the running guest. */
  finish(progress: NativeProgress): Promise<NativeProofResult>;
  /** Once, and nothing after it. */
  close(): Promise<void>;
}

export interface NativeProofResult {
  digestBefore: bigint;
  digestAfter: bigint;
  bytesRead: number;
  pagesChanged: number;
  firstChangedPage: number;
}

/** Who released a VM: whoever froze it, or the native timer. */
export type ResumedBy = 'caller' | 'deadline';
/** How a guest's wall clock catches up: at once, at a bounded rate, or not at all. */
export type SyncMode = 'step' | 'slew' | 'off';

/** How a guest's wall clock catches up with the host's. */
export interface NativeClockSync {
  mode: SyncMode;
  /** From the release on. */
  delayNs: number;
  /** Rate of a slew in parts per million of guest time, 1 to 500,000. */
  slewPpm: number;
}

export interface NativeFreezeOptions {
  /** From the request on, until the engine's timer thread releases the VMs, whatever JavaScript is doing. */
  budgetNs: number;
  handshakeTimeoutNs: number;
  /** Of every VM; null or absent: each its own. */
  clockSync?: NativeClockSync | null;
}

/** One VM's stamps. A `…AtNs` is 0 until it has happened. */
export interface NativeFreezeRecord {
  name: string;
  /** False for a VM that was halted before: it is left so. */
  wasRunning: boolean;
  requestedAtNs: bigint;
  /** The guest's own stamp at its safepoint, and when the host saw it. */
  haltedAtNs: bigint;
  observedAtNs: bigint;
  releasedAtNs: bigint;
  /** The guest's own stamp before its first step; equals `releasedAtNs` for a sleeping (idle) guest. */
  resumedAtNs: bigint;
  syncedAtNs: bigint;
  stepsAtHalt: number;
  stepsAtRelease: number;
  clockLagBeforeNs: number;
  clockLagAfterNs: number;
  /**
   * How closely the host's two clocks were read together, for the synchronisation and for the look after it, the wider
   * of the two: a clock that was stepped lags by no more afterwards. About 1 µs at most; more where the host was busy.
   */
  clockBracketNs: number;
  /** What was done: 'slew' where a step would have gone backward. */
  syncedBy: SyncMode;
  resumedBy: ResumedBy | null;
}

/** How a freeze stands: 'released' by its caller, 'expired' by its deadline; 'unknown' where its object is gone. */
export type FenceState = 'unknown' | 'beginning' | 'held' | 'released' | 'expired';

export interface NativeFreeze {
  /** Idempotent; releases what the deadline has not released yet. Waits for the readers' current chunk at most. */
  release(): void;
  /** Nanoseconds until the deadline; negative once it has passed. */
  remainingNs(): number;
  readonly released: boolean;
  /** Its generation: 1 or more, used once in a process. */
  token(): number;
  /** Resolves when every VM runs again (or was left halted) and its clock is synchronised, whoever released it. */
  settled(): Promise<void>;
  /** In the order in which the VMs were given. */
  records(): NativeFreezeRecord[];
}

/** What the system lets this process have, found by trying it. */
export interface NativeMachineTrials {
  /** Null where it can be had, else as 'EPERM: Operation not permitted'. */
  memfd: string | null;
  userfaultfd: string | null;
  /** Of 4 MiB that were asked for and touched, how many bytes are in huge pages. */
  hugePageBytes: number;
}

export interface NativeEngineInfo {
  crcBackend: string;
  poolThreads: number;
}

export interface Addon extends NativeSnapshotFiles, NativeProcesses {
  /** Once per environment, before anything else: the class of the errors thrown. */
  initialise(errorClass: new (code: string, message: string) => Error): void;
  programs(): NativeProgram[];
  /** Every code that the addon can throw. */
  statusCodes(): string[];
  /** Brings each page's CRC up to date while the guest runs. ERR_BUSY, ERR_VM_CLOSED, ERR_ABORTED. */
  prepareProof(vm: NativeVm, progress: NativeProgress): Promise<NativeProof>;
  createProgress(): NativeProgress;
  createPageStore(limitBytes: number): NativePageStore;
  createVm(config: NativeVmConfig): Promise<NativeVm>;
  restoreVm(config: NativeRestoreConfig, snapshot: NativeSnapshot, progress: NativeProgress): Promise<NativeVm>;
  /** All requests first, then the waits; on failure everything is as before. ERR_BUSY: a VM is in a freeze already. */
  freeze(vms: NativeVm[], options: NativeFreezeOptions): NativeFreeze;
  /** In any environment of the process; 'held' said after an act: no guest of that freeze had run by then. */
  freezeState(token: number): FenceState;
  crc64(previous: bigint, data: Uint8Array): bigint;
  engineInfo(): NativeEngineInfo;
  tryMachine(): NativeMachineTrials;
  /** Only in the control build used by tests: arms one deliberate defect (docs/ARCHITECTURE.md, "Controls"). */
  setControl?(name: string, level: boolean | number): void;
}
