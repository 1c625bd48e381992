import { monotonicNs } from '../base/clock.js';
import { isStandstillError } from '../base/errors.js';
import { ProcessVm } from '../process/process-vm.js';
import type { Vm } from '../vm/vm.js';
import type { PlacedVm, Subject } from './subject.js';

const INTERVAL_MS = 500;
/** Of each sample, for ending epochs: a guest that waits for a processor is waited for. */
const EPOCHS_MS_MAX = 5;

/** What one VM has counted up to now. Null: its kind of guest has none. */
export interface VmCounters {
  readonly state: string;
  readonly steps: number | null;
  /** The newest epoch of write marks that was looked at, and the pages written in all up to it, each once an epoch. */
  readonly epoch: number | null;
  readonly dirtyPagesTotal: number | null;
  readonly cpuTimeNs: number | null;
  readonly residentBytes: number | null;
}

export interface Sample {
  readonly atNs: number;
  readonly vms: Readonly<Record<string, VmCounters>>;
}

/**
 * Samples all VMs twice a second while somebody watches. For their dirty pages it ends an epoch of write marks, which halts
 * a running guest for well under a microsecond: of as many VMs, in turn, as a few milliseconds allow.
 */
export class Counters implements Disposable {
  readonly #subject: Subject;
  readonly #watchers = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #latest: Sample | undefined;
  /** Whose epoch is ended next. */
  #turn = 0;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  get latest(): Sample | undefined {
    return this.#latest;
  }

  /** Calls the listener at each new sample, until it is disposed. */
  watch(listener: () => void): Disposable {
    const own = () => listener();
    this.#watchers.add(own);
    this.#timer ??= setInterval(() => this.#sample(), INTERVAL_MS).unref();
    return {
      [Symbol.dispose]: () => {
        this.#watchers.delete(own);
        if (this.#watchers.size === 0) this[Symbol.dispose]();
      },
    };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #sample(): void {
    const placed = this.#subject.vms();
    this.#endEpochs(placed);
    const vms = placed.map(({ vm }) => [vm.name, countersOf(vm)] as const);
    this.#latest = { atNs: this.#subject.log.sinceBeginNs(monotonicNs()), vms: Object.fromEntries(vms) };
    for (const watcher of this.#watchers) watcher();
  }

  #endEpochs(placed: readonly PlacedVm[]): void {
    const untilMs = performance.now() + EPOCHS_MS_MAX;
    for (let count = 0; count < placed.length && performance.now() < untilMs; count += 1) {
      this.#turn = (this.#turn + 1) % placed.length;
      const vm = placed[this.#turn]?.vm;
      if (vm !== undefined) endEpochOf(vm);
    }
  }
}

function countersOf(vm: Vm): VmCounters {
  const none = { steps: null, epoch: null, dirtyPagesTotal: null, cpuTimeNs: null, residentBytes: null };
  try {
    if (vm instanceof ProcessVm) {
      const { state, cpuTimeNs, residentBytes } = vm.stats();
      return { ...none, state, cpuTimeNs, residentBytes };
    }
    const { state, steps, foldedEpoch, dirtyPagesTotal } = vm.stats();
    return { ...none, state, steps, epoch: foldedEpoch, dirtyPagesTotal };
  } catch (error) {
    // Closed since it was looked up, or its supervisor is lost.
    if (isStandstillError(error)) return { ...none, state: vm.state };
    throw error;
  }
}

function endEpochOf(vm: Vm): void {
  if (vm instanceof ProcessVm || (vm.state !== 'running' && vm.state !== 'idle')) return;
  try {
    vm.endEpoch();
  } catch (error) {
    if (!isStandstillError(error)) throw error;
  }
}
