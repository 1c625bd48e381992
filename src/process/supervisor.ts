import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { messageOf, StandstillError } from '../base/errors.js';
import { NS_PER_S } from '../base/units.js';
import { addon } from '../native/addon.js';
import { besideAddon } from '../native/binaries.js';
import type { NativeSupervisor, NativeSupervisorReply, NativeSupervisorRequest } from '../native/process-contract.js';
import {
  type Freezer,
  METADATA_ADDRESS,
  METADATA_URL_VARIABLE,
  type ParsedProcessVmOptions,
  type PublishedPort,
} from './options.js';

const PROGRAM = 'standstill-supervisor';
/** A supervisor that has not answered after this, beyond the time that the request itself allows, is lost. */
const ANSWER_NS = 10 * NS_PER_S;

/** What a supervisor tells without being asked. */
export type SupervisorEvent =
  | {
      event: 'ready';
      freezer: Exclude<Freezer, 'auto'>;
      group: string;
      why: string;
      /** Its descriptor of a socket for the guest's metadata service; -1: none. */
      metadataFd: number;
      ports: readonly PublishedPort[];
    }
  | { event: 'no-network'; why: string }
  | { event: 'unavailable'; why: string }
  /** The command has ended; `daemonised`: it left descendants behind. */
  | { event: 'ended'; pid: number; exitCode: number; exitSignal: number; daemonised: boolean }
  /** Nothing of the guest is left. */
  | { event: 'gone' }
  /** By the deadline of the freeze. */
  | { event: 'thawed'; generation: number }
  /** The supervisor itself has ended. */
  | { event: 'lost' };

/** By what a guest is frozen on this machine. */
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
  readonly publishedPorts: readonly PublishedPort[];
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly #native: NativeSupervisor;
  readonly #listeners: Set<(event: SupervisorEvent) => void>;
  readonly #name: string;
  readonly #pid: number;
  readonly #metadataFd: number;

  private constructor(
    name: string,
    native: NativeSupervisor,
    ready: Extract<SupervisorEvent, { event: 'ready' }>,
    launched: Launched,
    listeners: Set<(event: SupervisorEvent) => void>,
  ) {
    this.#name = name;
    this.#native = native;
    this.freezer = { kind: ready.freezer, group: ready.group, why: ready.why };
    this.publishedPorts = ready.ports;
    this.#pid = launched.child.pid ?? 0;
    this.#metadataFd = ready.metadataFd;
    this.stdout = launched.stdout;
    this.stderr = launched.stderr;
    this.#listeners = listeners;
  }

  /** Rejects with ERR_SUPERVISOR_LOST where it cannot be started, ERR_FREEZER_UNAVAILABLE, ERR_NETWORK_UNAVAILABLE. */
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
      if (first.event === 'no-network') throw networkError(options, first.why);
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
      return new Supervisor(options.name, native, first, launched, listeners);
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

  /**
   * A socket that listens where the guest looks for its metadata service, the caller's to close; undefined where it is in
   * the host's network. Throws ERR_NETWORK_UNAVAILABLE.
   */
  metadataSocket(): number | undefined {
    return this.#metadataFd < 0 ? undefined : addon.takeDescriptor(this.#pid, this.#metadataFd);
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
  const child = spawn(besideAddon(PROGRAM), [], {
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
        `Expected the supervisor at ${besideAddon(PROGRAM)} but could not start it: ${messageOf(cause)}. ` +
        'Build it by `npm rebuild standstill`, in a checkout by `npm run build`.';
      reject(new StandstillError('ERR_SUPERVISOR_LOST', message, { cause }));
    });
    const lines = createInterface({ input: events }).on('line', (line) => tell(JSON.parse(line) as SupervisorEvent));
    // Its last words may be read behind its end, and tell why it has come.
    const lost = () => tell({ event: 'lost' });
    lines.once('close', () => {
      if (child.exitCode === null && child.signalCode === null) child.once('exit', lost);
      else lost();
    });
  });
}

function networkError({ name }: ParsedProcessVmOptions, why: string): StandstillError {
  const message =
    `Expected a network of its own for VM '${name}' but this machine refuses ${why}. Run as root (in a container with ` +
    '--cap-add SYS_ADMIN,NET_ADMIN), or let users make namespaces: sysctl user.max_user_namespaces=10000, ' +
    'kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, where the system has them.';
  return new StandstillError('ERR_NETWORK_UNAVAILABLE', message);
}

/** As native/supervisor/configuration.h has it. */
function configurationOf(options: ParsedProcessVmOptions): string {
  const { freezer, cwd, command, args, env, metadataUrl } = options;
  const isOwn = options.network === 'own';
  const ownUrl = isOwn && metadataUrl !== undefined ? `http://${METADATA_ADDRESS}` : metadataUrl;
  const environment = { ...(env ?? process.env), [METADATA_URL_VARIABLE]: ownUrl };
  const network = isOwn && metadataUrl !== undefined ? 'metadata' : options.network;
  const ports = options.publish.map(({ host, guest }) => `${host}:${guest}`);
  const variables = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${value}`],
  );
  const listed = [`${ports.length}`, ...ports];
  const fields = [
    freezer,
    network,
    ...listed,
    cwd ?? process.cwd(),
    `${args.length + 1}`,
    command,
    ...args,
    `${variables.length}`,
  ];
  return [...fields, ...variables].map((field) => `${field}\0`).join('');
}
