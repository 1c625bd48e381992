import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { parseOptions } from '../base/options.js';
import { type ProgressOptions, progressFields } from '../base/progress.js';
import { NS_PER_MS } from '../base/units.js';
import { addon } from '../native/addon.js';
import type {
  NativeProgress,
  NativeRestoreConfig,
  NativeSnapshot,
  NativeVm,
  NativeVmConfig,
  VmState,
} from '../native/contract.js';
import { watched } from '../native/watched.js';
import { nativeSnapshotOf, type VmSnapshot, wrapSnapshot } from '../snapshot/snapshot.js';
import type { VmEvent } from './events.js';
import { type ClockGuarantees, EMULATED_CLOCKS } from './guarantees.js';
import { type GuestKind, guestKind } from './guest-kind.js';
import { nativeVmConfig, seedSchema, type VmOptions } from './options.js';
import type {
  CheckResult,
  DigestOptions,
  EpochResult,
  ExploreOptions,
  ExploreResult,
  MemoryDigest,
  PauseLatency,
  PauseOptions,
  RollbackResult,
  SnapshotOptions,
  Vm,
  VmStats,
} from './vm.js';

export const HANDSHAKE_TIMEOUT_MS_DEFAULT = 1000;
const EXPECTED_TIMEOUT = 'milliseconds above 0, up to 3600000';
export const timeoutMsSchema = z.number(EXPECTED_TIMEOUT).positive(EXPECTED_TIMEOUT).max(3_600_000, EXPECTED_TIMEOUT);

const pauseOptionsSchema = z.strictObject({ timeoutMs: timeoutMsSchema.default(HANDSHAKE_TIMEOUT_MS_DEFAULT) });
const HANDSHAKE_TIMEOUT_NS_DEFAULT = HANDSHAKE_TIMEOUT_MS_DEFAULT * NS_PER_MS;

const EXPECTED_RUNS = 'a whole number of 1 at least';
const EXPECTED_STEPS = 'a whole number of 0 at least';
const EXPECTED_SHARE = 'a number above 0, up to 1';
const EXPECTED_THREADS = 'a whole number from 0 to 4096';
const progressSchema = z.strictObject(progressFields);
const digestOptionsSchema = z.strictObject({
  share: z.number(EXPECTED_SHARE).positive(EXPECTED_SHARE).max(1, EXPECTED_SHARE).default(1),
  seed: seedSchema.default(0n),
  threads: z
    .number(EXPECTED_THREADS)
    .int(EXPECTED_THREADS)
    .min(0, EXPECTED_THREADS)
    .max(4096, EXPECTED_THREADS)
    .default(0),
  ...progressFields,
});
const snapshotOptionsSchema = z.strictObject({ live: z.boolean('true or false').default(false), ...progressFields });
const exploreOptionsSchema = z.strictObject({
  runs: z.number(EXPECTED_RUNS).int(EXPECTED_RUNS).positive(EXPECTED_RUNS),
  steps: z.number(EXPECTED_STEPS).int(EXPECTED_STEPS).nonnegative(EXPECTED_STEPS),
  seed: seedSchema.default(0n),
  check: z.boolean('true or false').default(true),
  ...progressFields,
});

/** The engine's handle of a VM, for those parts of the library that work on several VMs in one native call. */
export const nativeHandle: unique symbol = Symbol('standstill.nativeHandle');

/** Where a VM tells what becomes of it; its host's to set. */
export const vmObserver: unique symbol = Symbol('standstill.vmObserver');

/** Where the metadata service of a VM is; its host's to set. */
export const vmMetadataUrl: unique symbol = Symbol('standstill.vmMetadataUrl');

const EMULATED: GuestKind = {
  name: 'emulated',
  freeze: (vms, terms) =>
    addon.freeze(
      vms.filter((vm) => vm instanceof EmulatedVm).map((vm) => vm[nativeHandle]),
      terms,
    ),
};

/** Creates a VM from a configuration that is valid. */
export const createFromConfig = async (config: NativeVmConfig): Promise<EmulatedVm> =>
  wrap(await addon.createVm(config));
/** Creates a VM that begins at a snapshot. */
export const createAtSnapshot = async (
  config: NativeRestoreConfig,
  snapshot: NativeSnapshot,
  progress: NativeProgress,
): Promise<EmulatedVm> => wrap(await addon.restoreVm(config, snapshot, progress));
let wrap: (native: NativeVm) => EmulatedVm;

/** A VM whose guest is one of the engine's programs, run by one thread of the engine. */
export class EmulatedVm implements Vm {
  readonly kind = 'emulated';
  readonly clocks: ClockGuarantees = EMULATED_CLOCKS;
  /** @internal */
  readonly [nativeHandle]: NativeVm;
  readonly [guestKind] = EMULATED;
  /** @internal */
  [vmObserver]: ((event: VmEvent) => void) | undefined;
  [vmMetadataUrl]: string | undefined;
  readonly name: string;
  readonly program: string;
  readonly ramBytes: number;
  #generationId = randomUUID();
  #faultTold = false;

  static {
    wrap = (native) => new EmulatedVm(native);
  }

  private constructor(native: NativeVm) {
    this[nativeHandle] = native;
    this.name = native.name;
    this.program = native.program;
    this.ramBytes = native.ramBytes;
  }

  /**
   * Creates a VM that belongs to no host; close it, or it lives until it is collected. Rejects with ERR_INVALID_OPTION,
   * ERR_UNKNOWN_OPTION, ERR_UNKNOWN_PROGRAM, ERR_UNKNOWN_PARAMETER, ERR_OUT_OF_MEMORY, ERR_THREAD_FAILED.
   */
  static async create(options: VmOptions): Promise<EmulatedVm> {
    return await createFromConfig(nativeVmConfig(options, (program) => program));
  }

  get metadataUrl(): string | undefined {
    return this[vmMetadataUrl];
  }

  get generationId(): string {
    return this.#generationId;
  }

  /** As the engine has it at this moment; a running guest may change it in the next. */
  get state(): VmState {
    return this[nativeHandle].state();
  }

  start(): void {
    this[nativeHandle].start();
    this.#tell('vm-started');
  }

  pause(options?: PauseOptions): PauseLatency {
    const timeout = options === undefined ? HANDSHAKE_TIMEOUT_NS_DEFAULT : timeoutNs(options);
    if (this[vmObserver] === undefined) return this[nativeHandle].pause(timeout);
    const stood = this.state === 'paused';
    const latency = this[nativeHandle].pause(timeout);
    if (!stood) this.#tell('vm-paused');
    return latency;
  }

  resume(): void {
    const stood = this[vmObserver] !== undefined && this.state === 'paused';
    this[nativeHandle].resume();
    if (stood) this.#tell('vm-resumed');
  }

  async runUntil(step: number): Promise<void> {
    const before = this[vmObserver] === undefined ? undefined : this.state;
    const reached = this[nativeHandle].runUntil(step);
    if (before === 'created') this.#tell('vm-started');
    if (before === 'paused') this.#tell('vm-resumed');
    try {
      await reached;
      this.#tell('vm-paused');
    } finally {
      this.#tellFault();
    }
  }

  async digest(options: DigestOptions = {}): Promise<MemoryDigest> {
    const { signal, onProgress, ...settings } = parseOptions(digestOptionsSchema, options, 'a digest');
    return await watched({ signal, onProgress }, 'digest', (progress) => this[nativeHandle].digest(settings, progress));
  }

  async check(options: ProgressOptions = {}): Promise<CheckResult> {
    const watch = parseOptions(progressSchema, options, 'a check');
    return await watched(watch, 'check', (progress) => this[nativeHandle].check(progress));
  }

  stats(): VmStats {
    this.#tellFault();
    return this[nativeHandle].stats();
  }

  registers(): Uint8Array {
    return this[nativeHandle].registers();
  }

  read(gpa: number, lengthBytes: number): Uint8Array {
    return this[nativeHandle].read(gpa, lengthBytes);
  }

  flipBit(gpa: number, bit: number): void {
    this[nativeHandle].flipBit(gpa, bit);
  }

  async snapshot(options: SnapshotOptions = {}): Promise<VmSnapshot> {
    const { live, ...watch } = parseOptions(snapshotOptionsSchema, options, 'a snapshot');
    const { snapshot, cost } = await watched(watch, 'snapshot', (progress) =>
      this[nativeHandle].snapshot(live, progress),
    );
    return wrapSnapshot(snapshot, cost);
  }

  async rollback(snapshot: VmSnapshot): Promise<RollbackResult> {
    const pages = await this[nativeHandle].rollback(nativeSnapshotOf(snapshot, 'a rollback'));
    this.#generationId = randomUUID();
    this.#faultTold = false;
    this.#tell('vm-rolled-back');
    return { pages };
  }

  async explore(snapshot: VmSnapshot, options: ExploreOptions): Promise<ExploreResult> {
    const { signal, onProgress, ...settings } = parseOptions(exploreOptionsSchema, options, 'an exploration');
    const native = nativeSnapshotOf(snapshot, 'an exploration');
    try {
      return await watched({ signal, onProgress }, 'exploration', (progress) =>
        this[nativeHandle].explore(native, settings, progress),
      );
    } finally {
      this.#generationId = randomUUID();
    }
  }

  endEpoch(): EpochResult {
    return this[nativeHandle].endEpoch();
  }

  close(): void {
    const wasOpen = this.state !== 'closed';
    this[nativeHandle].close();
    if (wasOpen) this.#tell('vm-closed');
  }

  /** Like `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Like `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #tell(type: VmEvent['type']): void {
    this[vmObserver]?.({ type, vm: this.name });
  }

  /** A guest faults by itself, so it is told when it is seen. */
  #tellFault(): void {
    if (this.#faultTold || this[vmObserver] === undefined || this.state !== 'faulted') return;
    this.#faultTold = true;
    this.#tell('vm-faulted');
  }
}

const timeoutNs = (options: PauseOptions): number =>
  parseOptions(pauseOptionsSchema, options, 'pause').timeoutMs * NS_PER_MS;
