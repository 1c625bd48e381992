import { constants } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { monotonicNs } from '../base/clock.js';
import { isStandstillError, StandstillError } from '../base/errors.js';
import { formatNs, NS_PER_MS, NS_PER_S } from '../base/units.js';
import type { VmState } from '../native/contract.js';
import type { NativeSupervisorReply } from '../native/process-contract.js';
import { LogTail } from './log-tail.js';
import type { ParsedProcessVmOptions, PublishedPort } from './options.js';
import { type ChosenFreezer, Supervisor, type SupervisorEvent } from './supervisor.js';

/** The kernel is given so long to say that a guest runs again. */
const THAW_NS = 2 * NS_PER_S;
const CLOSE_NS = 10 * NS_PER_S;
const TAIL_LINES = 10;
/** How a guest ended. */
export interface ProcessEnding {
  readonly exitCode: number | null;
  /** 'SIGKILL'; null where it exited by itself. */
  readonly signal: string | null;
}

/**
 * A process guest as its supervisor sees it: what is asked here is answered by the supervisor, so that it is true
 * whatever has happened meanwhile, the deadline of a freeze included.
 */
export class ProcessGuest {
  readonly name: string;
  readonly command: string;
  readonly log = new LogTail();
  readonly #supervisor: Supervisor;
  #last: NativeSupervisorReply;
  #closed = false;
  #heldBy: object | undefined;
  readonly #whenFree: (() => void)[] = [];

  private constructor(options: ParsedProcessVmOptions, supervisor: Supervisor) {
    this.name = options.name;
    this.command = options.command;
    this.#supervisor = supervisor;
    supervisor.stdout.setEncoding('utf8').on('data', (text: string) => this.log.add('stdout', text));
    supervisor.stderr.setEncoding('utf8').on('data', (text: string) => this.log.add('stderr', text));
    this.#last = supervisor.ask('status');
  }

  static async launch(options: ParsedProcessVmOptions): Promise<ProcessGuest> {
    return new ProcessGuest(options, await Supervisor.launch(options));
  }

  get publishedPorts(): readonly PublishedPort[] {
    return this.#supervisor.publishedPorts;
  }

  /** As the supervisor's. */
  metadataSocket(): number | undefined {
    return this.#supervisor.metadataSocket();
  }

  get freezer(): ChosenFreezer {
    return this.#supervisor.freezer;
  }

  get state(): VmState {
    const reply = this.look();
    if (reply === undefined) return 'closed';
    if (reply.life === 'not-started') return 'created';
    if (reply.life === 'ended') return 'faulted';
    return reply.frozen ? 'paused' : 'running';
  }

  /** What the supervisor knows; undefined once closed. A supervisor that somebody has killed took its guest with it. */
  look(): NativeSupervisorReply | undefined {
    return this.#closed ? undefined : this.#status();
  }

  /** As `look`, and ERR_VM_CLOSED once closed. */
  reply(): NativeSupervisorReply {
    this.assertOpen();
    return this.#status();
  }

  onEvent(listener: (event: SupervisorEvent) => void): Disposable {
    return this.#supervisor.onEvent(listener);
  }

  /** Resolves at the next thing that the supervisor tells, or when the guest is closed. */
  nextChange(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    return new Promise((resolve) => {
      // A pending promise keeps the event loop alive; the pipe from the supervisor does not.
      const keepAlive = setInterval(() => {
        if (this.#closed) end();
      }, 1000);
      const listener = this.#supervisor.onEvent(() => end());
      const end = () => {
        clearInterval(keepAlive);
        listener[Symbol.dispose]();
        resolve();
      };
    });
  }

  assertOpen(): void {
    if (this.#closed) {
      throw new StandstillError('ERR_VM_CLOSED', `Expected an open VM for '${this.name}' but it is closed`);
    }
  }

  assertFree(): void {
    this.assertOpen();
    if (this.#heldBy === undefined) return;
    throw new StandstillError('ERR_BUSY', `Expected VM '${this.name}' to be in no freeze but one holds it`);
  }

  /** No other freeze may have it, and nothing starts it, until this one sets it free. */
  hold(freeze: object): void {
    this.#heldBy = freeze;
  }

  /** Does what waited for that. Nothing where the freeze does not hold it. */
  free(freeze: object): void {
    if (this.#heldBy !== freeze) return;
    this.#heldBy = undefined;
    for (const act of this.#whenFree.splice(0)) act();
  }

  /** Calls `act` now, or as soon as no freeze holds it. */
  whenFree(act: () => void): void {
    if (this.#heldBy === undefined) act();
    else this.#whenFree.push(act);
  }

  assertAlive(): void {
    const reply = this.reply();
    if (reply.life === 'ended') throw this.endedError(reply);
  }

  /** Throws ERR_PROCESS_SPAWN, ERR_FREEZER_UNAVAILABLE, ERR_VM_ALREADY_STARTED. */
  start(): void {
    this.assertFree();
    const reply = this.#supervisor.ask('start');
    if (reply.answer === 'ok') {
      this.log.begin();
      return;
    }
    if (reply.answer === 'not-running') {
      throw new StandstillError('ERR_VM_ALREADY_STARTED', `Expected VM '${this.name}' not to run but it runs`);
    }
    if (reply.spawnStep === 'group') {
      const message = `Expected the group ${this.freezer.group} of VM '${this.name}' but it is gone: ${reply.error}`;
      throw new StandstillError('ERR_FREEZER_UNAVAILABLE', message);
    }
    const expected = {
      none: 'a command',
      fork: 'one more process',
      network: 'a network that can be entered',
      folder: 'a working folder',
      exec: 'a command that can be executed',
    };
    throw new StandstillError(
      'ERR_PROCESS_SPAWN',
      `Expected ${expected[reply.spawnStep]} for VM '${this.name}' but received '${this.command}': ${reply.error}`,
    );
  }

  /** Asks it to freeze, until `deadlineAtNs` (0n: without a deadline), and returns what awaits its answer. */
  requestFreeze(handshakeTimeoutNs: number, deadlineAtNs: bigint): () => NativeSupervisorReply {
    const untilNs = monotonicNs() + BigInt(Math.ceil(handshakeTimeoutNs));
    this.#supervisor.send('freeze', { untilNs, deadlineNs: deadlineAtNs });
    return () => {
      const reply = this.#supervisor.answer(handshakeTimeoutNs + THAW_NS);
      if (reply.answer === 'ok') return reply;
      throw this.#freezeError(reply, handshakeTimeoutNs);
    };
  }

  /** Undefined where the guest is closed. */
  thaw(generation: number): NativeSupervisorReply | undefined {
    if (this.#closed) return undefined;
    try {
      return this.#supervisor.ask('thaw', { generation, allowedNs: THAW_NS });
    } catch (error) {
      if (isStandstillError(error, 'ERR_SUPERVISOR_LOST')) return this.look();
      throw error;
    }
  }

  /** The processes of the guest, in rising order. */
  members(): NativeSupervisorReply {
    this.assertOpen();
    return this.#supervisor.ask('members');
  }

  /** Thaws it, asks all of it to end, kills it after the grace, and resolves when nothing is left. */
  async terminate(graceMs: number): Promise<void> {
    const untilNs = monotonicNs() + BigInt(Math.ceil(graceMs * NS_PER_MS));
    this.#supervisor.ask('terminate', { untilNs, allowedNs: THAW_NS });
    for (;;) {
      const changed = this.nextChange();
      if (this.look()?.life !== 'alive') return;
      await changed;
    }
  }

  /** Thaws and kills everything and removes the group. Blocks until that is done. Idempotent. */
  close(): void {
    if (this.#closed) return;
    try {
      this.#supervisor.ask('close', { allowedNs: CLOSE_NS });
    } catch (error) {
      if (!isStandstillError(error, 'ERR_SUPERVISOR_LOST')) throw error;
    } finally {
      this.#closed = true;
      this.#supervisor.disconnect();
    }
  }

  /** What it wrote last has arrived: it lay in the pipe before its end was told. */
  async outputArrived(): Promise<void> {
    await nextTurn();
    await nextTurn();
  }

  #status(): NativeSupervisorReply {
    try {
      this.#last = this.#supervisor.ask('status');
    } catch (error) {
      if (!isStandstillError(error, 'ERR_SUPERVISOR_LOST')) throw error;
      this.#last = { ...this.#last, life: 'ended', frozen: false, exitCode: 0, exitSignal: 9 };
    }
    return this.#last;
  }

  #freezeError(reply: NativeSupervisorReply, handshakeTimeoutNs: number): StandstillError {
    const guest = `VM '${this.name}'`;
    if (reply.answer === 'freeze-timeout') {
      const message = `Expected every task of ${guest} frozen within ${formatNs(handshakeTimeoutNs)} but one was not; they run on`;
      return new StandstillError('ERR_PAUSE_TIMEOUT', message);
    }
    if (reply.answer === 'freezer-failed') {
      const message = `Expected the ${this.freezer.kind} freezer of ${guest} to work but received ${reply.error}`;
      return new StandstillError('ERR_FREEZER_UNAVAILABLE', message);
    }
    return this.endedError(reply);
  }

  endedError({ exitCode, exitSignal, life }: NativeSupervisorReply): StandstillError {
    if (life === 'not-started') {
      return new StandstillError(
        'ERR_VM_NOT_STARTED',
        `Expected VM '${this.name}' to have been started but it has not`,
      );
    }
    const how = describeEnding(endingOf({ exitCode, exitSignal }));
    const message = `Expected VM '${this.name}' to run but its process ${how}${this.tail()}`;
    return new StandstillError('ERR_PROCESS_ENDED', message);
  }

  /** The end of its output, for a message. */
  tail(): string {
    const lines = this.log.last(TAIL_LINES).map(({ text }) => `  ${text}`);
    return lines.length === 0 ? '; it wrote nothing' : `; it wrote last:\n${lines.join('\n')}`;
  }
}

export const endingOf = ({
  exitCode,
  exitSignal,
}: Pick<NativeSupervisorReply, 'exitCode' | 'exitSignal'>): ProcessEnding =>
  exitSignal === 0 ? { exitCode, signal: null } : { exitCode: null, signal: signalName(exitSignal) };

/** What a process did: 'exited with 1', 'was ended by SIGKILL'. */
export const describeEnding = ({ exitCode, signal }: ProcessEnding): string =>
  signal === null ? `exited with ${exitCode}` : `was ended by ${signal}`;

const signalName = (number: number): string =>
  Object.entries(constants.signals).find(([, value]) => value === number)?.[0] ?? `signal ${number}`;
