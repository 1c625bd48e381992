import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { monotonicNs } from '../base/clock.js';
import { isStandstillError, StandstillError } from '../base/errors.js';
import { parseOptions } from '../base/options.js';
import { type ProgressOptions, progressFields } from '../base/progress.js';
import { NS_PER_MS } from '../base/units.js';
import type { VmState } from '../native/contract.js';
import { HANDSHAKE_TIMEOUT_MS_DEFAULT, timeoutMsSchema, vmObserver } from '../vm/emulated-vm.js';
import type { VmEvent } from '../vm/events.js';
import { type ClockGuarantees, PROCESS_CLOCKS } from '../vm/guarantees.js';
import { type GuestKind, guestKind } from '../vm/guest-kind.js';
import type { MemoryDigest, PauseLatency, PauseOptions, Vm } from '../vm/vm.js';
import { endingOf, type ProcessEnding, ProcessGuest } from './guest.js';
import type { LogLine } from './log-tail.js';
import { ProcessMemoryImage } from './memory-image.js';
import {
  GRACE_MS_DEFAULT,
  graceMsSchema,
  type ParsedProcessVmOptions,
  type ProcessVmOptions,
  type PublishedPort,
  parseProcessVmOptions,
} from './options.js';
import { ProcessFreeze, type ProcessFreezeOptions, parseFreezeTerms } from './process-freeze.js';
import { type ProcessStats, residentBytesOf, statsOf } from './process-stats.js';
import { untilReady } from './readiness.js';
import type { ChosenFreezer } from './supervisor.js';

const pauseOptionsSchema = z.strictObject({ timeoutMs: timeoutMsSchema.default(HANDSHAKE_TIMEOUT_MS_DEFAULT) });
const readyOptionsSchema = z.strictObject({ signal: progressFields.signal });
const terminateOptionsSchema = z.strictObject({ graceMs: graceMsSchema.default(GRACE_MS_DEFAULT) });
const progressSchema = z.strictObject(progressFields);

/** The supervised process behind a VM, for those parts of the library that work on several VMs at once. */
export const processGuest: unique symbol = Symbol('standstill.processGuest');

const PROCESS: GuestKind = {
  name: 'process',
  freeze: (vms, terms) =>
    ProcessFreeze.begin(
      vms.filter((vm) => vm instanceof ProcessVm).map((vm) => vm[processGuest]),
      terms,
    ),
};

/** How a guest is ended. */
export interface TerminateOptions {
  /** From SIGTERM to SIGKILL, in milliseconds, 0 to 600,000. Default 10,000. */
  graceMs?: number | undefined;
}

/**
 * A VM whose guest is a real program and all of its descendants, frozen with their memory in place. It is a `Vm`: what a
 * process cannot do is typed `never` and answers ERR_NOT_SUPPORTED. State 'faulted' is a guest that has ended.
 *
 * A native supervisor keeps the guest. When this process ends, however it does, the guest is thawed and killed; at the
 * deadline of a freeze it is thawed even where this process is stopped or its event loop is blocked. `start`, `pause`,
 * `resume`, `state` and `close` are synchronous and ask the supervisor, which takes some tens of microseconds, and as
 * long as the guest takes to freeze.
 */
export class ProcessVm implements Vm {
  readonly kind = 'process';
  /** @internal */
  readonly [processGuest]: ProcessGuest;
  readonly [guestKind] = PROCESS;
  /** @internal */
  [vmObserver]: ((event: VmEvent) => void) | undefined;
  readonly name: string;
  /** The command. */
  readonly program: string;
  /**
   * Where its metadata service is. Its environment names it too; in a network of its own, as http://169.254.169.254, by
   * which the guest alone finds it.
   */
  readonly metadataUrl: string | undefined;
  /** By what it is frozen, and why so. */
  readonly freezer: ChosenFreezer;
  /** Ports of the host's loopback device that lead into the guest's own network; empty where it is in the host's. */
  readonly publishedPorts: readonly PublishedPort[];
  /** What a freeze of a process does to its clocks. */
  readonly clocks: ClockGuarantees = PROCESS_CLOCKS;
  readonly #options: ParsedProcessVmOptions;
  #generationId = randomUUID();
  #restarts = 0;
  #restartFailure: unknown;
  #ending = false;
  #isEndNoted = false;

  private constructor(options: ParsedProcessVmOptions, guest: ProcessGuest) {
    this[processGuest] = guest;
    this.name = options.name;
    this.program = options.command;
    this.metadataUrl = options.metadataUrl;
    this.freezer = guest.freezer;
    this.publishedPorts = guest.publishedPorts;
    this.#options = options;
    guest.onEvent(({ event }) => {
      if (event === 'gone') this.#noteEnd();
    });
  }

  /**
   * Makes the supervisor and the group of a VM that belongs to no host, in state 'created'. Rejects with
   * ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION, ERR_FREEZER_UNAVAILABLE, ERR_NETWORK_UNAVAILABLE, ERR_SUPERVISOR_LOST.
   */
  static async create(options: ProcessVmOptions): Promise<ProcessVm> {
    return await ProcessVm.fromOptions(parseProcessVmOptions(options, (command) => command));
  }

  /** From options that are valid. */
  static async fromOptions(options: ParsedProcessVmOptions): Promise<ProcessVm> {
    return new ProcessVm(options, await ProcessGuest.launch(options));
  }

  /** 'faulted': the guest has ended. */
  get state(): VmState {
    return this[processGuest].state;
  }

  /** Another one with each start. */
  get generationId(): string {
    return this.#generationId;
  }

  /** What is resident of it now; 0 before its start and after its end. */
  get ramBytes(): number {
    return this.state === 'closed' ? 0 : residentBytesOf(this[processGuest].members().pids);
  }

  /**
   * Starts the command, also again where it has ended. ERR_PROCESS_SPAWN, ERR_VM_ALREADY_STARTED, ERR_VM_CLOSED;
   * ERR_FREEZER_UNAVAILABLE where its group is gone. It runs when this returns; whether it is ready, `ready` tells.
   */
  start(): void {
    this[processGuest].start();
    this.#ending = false;
    this.#isEndNoted = false;
    this.#generationId = randomUUID();
    this.#tell('vm-started');
  }

  /**
   * Resolves when the guest is ready, by the option `ready`. Rejects with ERR_PROCESS_NOT_READY, ERR_PROCESS_ENDED (with
   * the end of its output), ERR_VM_NOT_STARTED, ERR_VM_CLOSED, ERR_ABORTED.
   */
  async ready(options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    const { signal } = parseOptions(readyOptionsSchema, options, 'ready');
    this.#assertStarted();
    this.#noteEnd();
    try {
      await untilReady(this[processGuest], this.#options, signal);
    } catch (error) {
      throw isStandstillError(error, 'ERR_PROCESS_ENDED') ? (this.#restartFailure ?? error) : error;
    }
  }

  /** Freezes every task with its memory in place, without a deadline. Idempotent. ERR_PAUSE_TIMEOUT, ERR_PROCESS_ENDED. */
  pause(options: PauseOptions = {}): PauseLatency {
    const timeoutNs = parseOptions(pauseOptionsSchema, options, 'pause').timeoutMs * NS_PER_MS;
    const guest = this[processGuest];
    guest.assertOpen();
    const { state } = guest;
    if (state === 'paused' || state === 'created') return { haltNs: 0, latencyNs: 0 };
    guest.assertFree();
    guest.assertAlive();
    const { requestedAtNs, frozenAtNs } = guest.requestFreeze(timeoutNs, 0n)();
    this.#tell('vm-paused');
    return {
      haltNs: Number(frozenAtNs - requestedAtNs),
      latencyNs: Number(monotonicNs() - requestedAtNs),
    };
  }

  /** Thaws it. Idempotent. ERR_VM_NOT_STARTED, ERR_PROCESS_ENDED; ERR_BUSY inside a freeze. */
  resume(): void {
    const guest = this[processGuest];
    guest.assertFree();
    this.#assertStarted();
    guest.assertAlive();
    const { frozen, generation } = this[processGuest].reply();
    guest.thaw(generation);
    if (frozen) this.#tell('vm-resumed');
  }

  /**
   * Ends all of it as `terminate` does with its default grace, and keeps the VM: `start` begins it anew. Its restart policy
   * does not. ERR_VM_CLOSED.
   */
  async shutDown(): Promise<void> {
    this.#ending = true;
    await this[processGuest].terminate(GRACE_MS_DEFAULT);
  }

  /**
   * Freezes it until the scope is left, at most for the budget: then the supervisor thaws it, whatever this process is
   * doing. Throws as `pause` does, and ERR_BUSY inside another freeze.
   */
  freeze(options: ProcessFreezeOptions = {}): ProcessFreeze {
    return ProcessFreeze.begin([this[processGuest]], parseFreezeTerms(options));
  }

  /** It walks over the processes of the guest: some tens of microseconds for each. */
  stats(): ProcessStats {
    return statsOf(this[processGuest], this.#restarts);
  }

  /** The last lines that the guest wrote, 20 unless told, of the 1,000 that are kept. */
  logTail(lines = 20): LogLine[] {
    return this[processGuest].log.last(lines);
  }

  /**
   * Reads the memory of the frozen guest and where its tasks stand, on the engine's threads. Two images of one freeze are
   * its proof. Rejects with ERR_VM_NOT_PAUSED, ERR_LEASE_REVOKED where it was thawed meanwhile, ERR_PROCESS_UNREADABLE,
   * ERR_ABORTED.
   */
  async memoryImage(options: ProgressOptions = {}): Promise<ProcessMemoryImage> {
    const watch = parseOptions(progressSchema, options, 'a memory image');
    const guest = this[processGuest];
    const reply = guest.members();
    if (!reply.frozen) {
      throw new StandstillError('ERR_VM_NOT_PAUSED', `Expected a frozen VM for '${this.name}' but it is ${this.state}`);
    }
    try {
      return await ProcessMemoryImage.capture(reply.pids, this.name, watch);
    } finally {
      const after = guest.look();
      if (after === undefined || !after.frozen || after.generation !== reply.generation) {
        // biome-ignore lint/correctness/noUnsafeFinally: whatever was read, it was read of a guest that ran
        throw new StandstillError('ERR_LEASE_REVOKED', `VM '${this.name}' was thawed while its memory was being read`);
      }
    }
  }

  /** The digest of a memory image; a share of it is not to be had. Rejects as `memoryImage` does. */
  async digest(): Promise<MemoryDigest> {
    const image = await this.memoryImage();
    const { digest, bytesRead, elapsedNs } = image.info;
    return { value: digest, bytesRead, elapsedNs, pageCrcs: image.pageCrcs() };
  }

  /**
   * Thaws the guest, sends SIGTERM to all of it, SIGKILL to what is left after the grace, and closes the VM. How it ended;
   * null where it was never started. A freeze that holds it is over for it.
   */
  async terminate(options: TerminateOptions = {}): Promise<ProcessEnding | null> {
    const { graceMs } = parseOptions(terminateOptionsSchema, options, 'terminate');
    this.#ending = true;
    const guest = this[processGuest];
    if (this.state !== 'closed') await guest.terminate(graceMs);
    const reply = guest.look();
    await guest.outputArrived();
    this.close();
    return reply?.life === 'ended' ? endingOf(reply) : null;
  }

  /** Thaws and kills all of it, at once. Idempotent. */
  close(): void {
    const wasOpen = this.state !== 'closed';
    this.#ending = true;
    this[processGuest].close();
    if (wasOpen) this.#tell('vm-closed');
  }

  /** Like `close`: the guest is killed. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Like `terminate` with its default grace. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate();
  }

  async runUntil(): Promise<never> {
    throw this.#notSupported('runUntil: a process counts no steps');
  }

  async check(): Promise<never> {
    throw this.#notSupported('check: the invariants of a process are its own');
  }

  registers(): never {
    throw this.#notSupported('registers: those of its tasks are compared by memoryImage');
  }

  read(): never {
    throw this.#notSupported('read: a process has no guest-physical addresses');
  }

  flipBit(): never {
    throw this.#notSupported('flipBit: its memory is not changed from outside');
  }

  async snapshot(): Promise<never> {
    throw this.#notSupported('snapshot');
  }

  async rollback(): Promise<never> {
    throw this.#notSupported('rollback');
  }

  async explore(): Promise<never> {
    throw this.#notSupported('explore');
  }

  endEpoch(): never {
    throw this.#notSupported('endEpoch: its writes are not marked');
  }

  #tell(type: VmEvent['type']): void {
    this[vmObserver]?.({ type, vm: this.name });
  }

  #notSupported(what: string): StandstillError {
    const message = `Expected an emulated guest for ${what}, but VM '${this.name}' is a process`;
    return new StandstillError('ERR_NOT_SUPPORTED', message);
  }

  #assertStarted(): void {
    const reply = this[processGuest].reply();
    if (reply.life === 'not-started') throw this[processGuest].endedError(reply);
  }

  /** Once for each end: what the supervisor tells of it may come late, after the close or the next start. */
  #noteEnd(): void {
    if (this.#isEndNoted || this.state !== 'faulted') return;
    this.#isEndNoted = true;
    this.#tell('vm-faulted');
    // One that ended in a freeze is not started in it.
    this[processGuest].whenFree(() => this.#restart());
  }

  #restart(): void {
    const { restart, restartLimit } = this.#options;
    if (this.state !== 'faulted' || this.#ending || restart === 'never' || this.#restarts >= restartLimit) return;
    const { exitCode, exitSignal } = this[processGuest].reply();
    if (restart === 'on-failure' && exitCode === 0 && exitSignal === 0) return;
    this.#restarts += 1;
    try {
      this.start();
    } catch (error) {
      this.#restartFailure = error;
    }
  }
}
