import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { messageOf, StandstillError } from '../base/errors.js';
import { NS_PER_S } from '../base/units.js';
import { addon } from '../native/addon.js';
import { besideAddon } from '../native/binaries.js';
import type { NativeSupervisor, NativeSupervisorReply, NativeSupervisorRequest } from '../native/process-contract.js';
import { type Freezer, METADATA_URL_VARIABLE, type ParsedProcessVmOptions } from './options.js';

const PROGRAM_PATH = besideAddon('standstill-supervisor');
/** A supervisor that has not answered after this, beyond the time that the request itself allows, is lost. */
const ANSWER_NS = 10 * NS_PER_S;

/** What a supervisor tells without being asked. */
export type SupervisorEvent =
  | { event: 'ready'; freezer: Exclude<Freezer, 'auto'>; group: string; why: string }
  | { event: 'unavailable'; why: string }
  /** The command has ended; `daemonised`: it left descendants behind. */
  | { event: 'ended'; pid: number; exitCode: number; exitSignal: number; daemonised: boolean }
  /** Nothing of the guest is left. */
  | { event: 'gone' }
  /** By the deadline of the freeze. */
  | { event: 'thawed'; generation: number }
  /** The supervisor itself has ended. */
  | { event: 'lost' };

export interface ChosenFreezer {
  readonly kind: Exclude<Freezer, 'auto'>;
  /** Its cgroup; '' for signals. */
  readonly group: string;
  /** Why this one, and why none before it. */
  readonly why: string;
}

interface RequestOptions {
  readonly untilNs?: bigint;
  readonly deadlineNs?: bigint;
  readonly generation?: number;
  /** How long the supervisor itself may take. */
  readonly allowedNs?: number;
}

/**
 * The native program that keeps one process guest: it owns the guest's group, its freezer and the deadline of a freeze.
 * When this process ends, however it does, the supervisor thaws and kills the guest and removes the group.
 */
export class Supervisor {
  readonly freezer: ChosenFreezer;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly #native: NativeSupervisor;
  readonly #listeners: Set<(event: SupervisorEvent) => void>;
  readonly #name: string;

  private constructor(
    name: string,
    native: NativeSupervisor,
    freezer: ChosenFreezer,
    launched: Launched,
    listeners: Set<(event: SupervisorEvent) => void>,
  ) {
    this.#name = name;
    this.#native = native;
    this.freezer = freezer;
    this.stdout = launched.stdout;
    this.stderr = launched.stderr;
    this.#listeners = listeners;
  }

  /** Rejects with ERR_SUPERVISOR_LOST where it cannot be started, ERR_FREEZER_UNAVAILABLE where no freezer can be had. */
  static async launch(options: ParsedProcessVmOptions): Promise<Supervisor> {
    const native = addon.openSupervisor();
    const listeners = new Set<(event: SupervisorEvent) => void>();
    const tell = (event: SupervisorEvent) => {
      for (const listener of [...listeners]) listener(event);
    };
    try {
      const launched = launchProgram(native.supervisorFd(), configurationOf(options));
      native.handedOver();
      const first = await firstEvent(launched, listeners, tell);
      if (first.event !== 'ready') {
        const why = first.event === 'unavailable' ? first.why : 'it ended at once';
        throw new StandstillError(
          'ERR_FREEZER_UNAVAILABLE',
          `Expected a freezer that this machine has for VM '${options.name}' but received '${options.freezer}': ${why}`,
        );
      }
      // A running guest does not keep this process alive.
      launched.child.unref();
      for (const stream of [launched.stdout, launched.stderr, launched.events]) stream.unref();
      const freezer = { kind: first.freezer, group: first.group, why: first.why };
      return new Supervisor(options.name, native, freezer, launched, listeners);
    } catch (error) {
      native.close();
      throw error;
    }
  }

  /** Calls `listener` with each event from now on; leaving the scope takes it back. */
  onEvent(listener: (event: SupervisorEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** Sends a request and blocks for its answer. Throws ERR_SUPERVISOR_LOST. */
  ask(request: NativeSupervisorRequest, options: RequestOptions = {}): NativeSupervisorReply {
    this.send(request, options);
    return this.answer(options.allowedNs);
  }

  /** For requests to several guests at once: `answer` follows. */
  send(request: NativeSupervisorRequest, { untilNs = 0n, deadlineNs = 0n, generation = 0 }: RequestOptions = {}): void {
    if (!this.#native.send(request, untilNs, deadlineNs, generation)) throw this.#lost();
  }

  answer(allowedNs = 0): NativeSupervisorReply {
    const reply = this.#native.await(allowedNs + ANSWER_NS);
    if (reply === null) throw this.#lost();
    return reply;
  }

  /** Ends the connection, and with it the supervisor and all of its guest. */
  disconnect(): void {
    this.#native.close();
  }

  #lost(): StandstillError {
    return new StandstillError(
      'ERR_SUPERVISOR_LOST',
      `Expected the supervisor of VM '${this.#name}' to answer but it does not`,
    );
  }
}

interface Launched {
  readonly child: ChildProcess;
  readonly stdout: Socket;
  readonly stderr: Socket;
  readonly events: Socket;
}

/** In a session of its own, so that a signal to the terminal's processes does not reach it or the guest. */
function launchProgram(socketFd: number, configuration: string): Launched {
  const child = spawn(PROGRAM_PATH, [], {
    stdio: ['pipe', 'pipe', 'pipe', socketFd, 'pipe'],
    env: {},
    cwd: '/',
    detached: true,
  });
  child.stdin?.on('error', () => {}); // it ended before it had read all: its events tell
  child.stdin?.end(configuration);
  const [, stdout, stderr, , events] = child.stdio as unknown as readonly Socket[];
  if (stdout === undefined || stderr === undefined || events === undefined) {
    throw new StandstillError('ERR_SUPERVISOR_LOST', 'Expected pipes to a supervisor but received none');
  }
  return { child, stdout, stderr, events };
}

function firstEvent(
  { child, events }: Launched,
  listeners: Set<(event: SupervisorEvent) => void>,
  tell: (event: SupervisorEvent) => void,
): Promise<SupervisorEvent> {
  return new Promise((resolve, reject) => {
    const first = (event: SupervisorEvent) => {
      listeners.delete(first);
      resolve(event);
    };
    listeners.add(first);
    child.once('error', (cause) => {
      const message =
        `Expected the supervisor at ${PROGRAM_PATH} but could not start it: ${messageOf(cause)}. ` +
        'Build it by `npm rebuild standstill`, in a checkout by `npm run build`.';
      reject(new StandstillError('ERR_SUPERVISOR_LOST', message, { cause }));
    });
    createInterface({ input: events }).on('line', (line) => tell(JSON.parse(line) as SupervisorEvent));
    child.once('exit', () => tell({ event: 'lost' }));
  });
}

/** As native/supervisor/configuration.h has it. */
function configurationOf({ freezer, cwd, command, args, env, metadataUrl }: ParsedProcessVmOptions): string {
  const environment = { ...(env ?? process.env), [METADATA_URL_VARIABLE]: metadataUrl };
  const variables = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  const fields = [freezer, cwd ?? process.cwd(), `${args.length + 1}`, command, ...args, `${variables.length}`];
  return [...fields, ...variables].map((field) => `${field}\0`).join('');
}
