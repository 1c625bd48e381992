/**
 * QEMU without hardware virtualisation (TCG, never KVM), driven over QMP, with a guest of our own: its code behind a
 * multiboot header.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { MIB } from '../../base/units.js';
import { CaseSkipped } from '../case.js';
import { FILLED_AT, guestCode, word } from './guest-code.js';

const LOAD_AT = MIB;
const BINARY = 'qemu-system-x86_64';
const POLL_MS = 5;
const START_POLLS_MAX = 2000;
const FILL_POLLS_MAX = 12_000;
const STATUS_POLLS_MAX = 1000;
const EVENT_TIMEOUT_MS = 60_000;

export const isInstalled = (program: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));

/** Why QEMU cannot be a peer here; null where it can. */
export const whyNoQemu = (): string | null =>
  isInstalled(BINARY) ? null : `${BINARY} is not installed (Debian: qemu-system-x86)`;

export interface QemuOptions {
  readonly folder: string;
  readonly ramBytes: number;
  /** With a disk, on which savevm keeps its snapshots; needs qemu-img. Default false. */
  readonly disk?: boolean;
}

interface QemuEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly atUs: number;
}

interface Answer {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** One QEMU with its guest running. Close it. */
export class Qemu {
  readonly #child: ChildProcess;
  #socket: Socket | undefined;
  readonly #answers: Answer[] = [];
  #events: QemuEvent[] = [];
  readonly #waiting = new Set<() => void>();
  /** What it printed: the reason where it does not start. */
  #said = '';

  private constructor(args: readonly string[]) {
    this.#child = spawn(BINARY, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr?.on('data', (data) => {
      this.#said += data;
    });
  }

  /** Resolves when the guest has filled its RAM and goes on. */
  static async start({ folder, ramBytes, disk = false }: QemuOptions): Promise<Qemu> {
    const kernel = join(folder, 'guest.bin');
    await writeFile(kernel, guestKernel(ramBytes));
    const socket = join(folder, 'qmp');
    await rm(socket, { force: true });
    const image = join(folder, 'disk.qcow2');
    if (disk) await promisify(execFile)('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(2 * MIB)]);
    const qemu = new Qemu([
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-accel', 'tcg', '-smp', '1'],
      ...(disk ? ['-drive', `file=${image},format=qcow2,if=virtio,cache=unsafe`] : []),
      ...['-m', `${ramBytes / MIB}M`, '-kernel', kernel, '-qmp', `unix:${socket},server=on,wait=on`],
    ]);
    try {
      await qemu.#connect(socket);
      await qemu.execute('qmp_capabilities');
      await qemu.#untilFilled();
    } catch (error) {
      await qemu.close();
      throw error;
    }
    return qemu;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** One QMP command; rejects with what QEMU says. */
  execute<Value = unknown>(command: string, args?: Readonly<Record<string, unknown>>): Promise<Value> {
    return new Promise((resolve, reject) => {
      this.#answers.push({ resolve, reject });
      this.#socket?.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
  }

  /** A command of the human monitor; those answer nothing where all is well. */
  async monitor(line: string): Promise<void> {
    const said = await this.execute<string>('human-monitor-command', { 'command-line': line });
    if (/error|fail|could not/i.test(said)) throw new CaseSkipped(said.trim());
  }

  forgetEvents(): void {
    this.#events = [];
  }

  /** The first event of this name since `forgetEvents`; waits for it, a minute at most. */
  async event(name: string, matches: (data: QemuEvent['data']) => boolean = () => true): Promise<QemuEvent> {
    const untilMs = performance.now() + EVENT_TIMEOUT_MS;
    for (;;) {
      const found = this.#events.find((event) => event.name === name && matches(event.data));
      if (found !== undefined) return found;
      if (performance.now() > untilMs)
        throw new CaseSkipped(`Expected the event ${name} within a minute but received none`);
      await this.#nextEvent();
    }
  }

  /** How long the guest stood still, by the stamps of QEMU's own events. */
  async standstillNs(): Promise<number> {
    const stop = await this.event('STOP');
    const resume = await this.event('RESUME');
    return Math.round((resume.atUs - stop.atUs) * 1000);
  }

  /** Waits until QEMU is in this state: some commands are refused for a moment after the event of the one before. */
  async untilStatus(wanted: string): Promise<void> {
    for (let i = 0; i < STATUS_POLLS_MAX; i++) {
      const { status } = await this.execute<{ status: string }>('query-status');
      if (status === wanted) return;
      await sleep(POLL_MS);
    }
    throw new CaseSkipped(`Expected QEMU in state ${wanted} within 5 s but it is in another one`);
  }

  async close(): Promise<void> {
    this.#socket?.destroy();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }

  async #connect(path: string): Promise<void> {
    for (let i = 0; !existsSync(path); i++) {
      if (this.#child.exitCode !== null || i > START_POLLS_MAX)
        throw new CaseSkipped(`Expected QEMU to start but received: ${this.#said.trim() || 'nothing'}`);
      await sleep(POLL_MS);
    }
    const socket = createConnection(path);
    this.#socket = socket;
    await once(socket, 'connect');
    createInterface({ input: socket }).on('line', (line) => this.#hear(JSON.parse(line)));
    socket.on('close', () => {
      for (const { reject } of this.#answers.splice(0))
        reject(new CaseSkipped('Expected an answer but QEMU has ended'));
    });
  }

  #hear(message: {
    readonly event?: string;
    readonly data?: QemuEvent['data'];
    readonly timestamp?: { readonly seconds: number; readonly microseconds: number };
    readonly return?: unknown;
    readonly error?: { readonly desc: string };
  }): void {
    if (message.event !== undefined) {
      const { seconds = 0, microseconds = 0 } = message.timestamp ?? {};
      this.#events.push({ name: message.event, data: message.data ?? {}, atUs: seconds * 1e6 + microseconds });
      for (const wake of this.#waiting) wake();
    } else if (message.error !== undefined) {
      this.#answers.shift()?.reject(new CaseSkipped(message.error.desc));
    } else if (message.return !== undefined) {
      this.#answers.shift()?.resolve(message.return as never);
    }
  }

  #nextEvent(): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, 1000);
      this.#waiting.add(wake);
    });
  }

  async #untilFilled(): Promise<void> {
    const look = { 'command-line': `xp /1wx 0x${FILLED_AT.toString(16)}` };
    for (let i = 0; i < FILL_POLLS_MAX; i++) {
      if (/0x0*1\s*$/.test((await this.execute<string>('human-monitor-command', look)).trim())) return;
      await sleep(POLL_MS);
    }
    throw new CaseSkipped('Expected the guest to fill its RAM within a minute but it did not');
  }
}

/** A multiboot kernel: header with its own addresses, then the code. */
function guestKernel(ramBytes: number): Buffer {
  const MAGIC = 0x1badb002;
  const HAS_ADDRESSES = 1 << 16;
  const HEADER_BYTES = 32;
  const header = [
    ...[MAGIC, HAS_ADDRESSES, (0 - MAGIC - HAS_ADDRESSES) >>> 0],
    // Where the header and the code go, that all of the file does and no bss, and where to begin.
    ...[LOAD_AT, LOAD_AT, 0, 0, LOAD_AT + HEADER_BYTES],
  ];
  return Buffer.from([...header.flatMap(word), ...guestCode(ramBytes)]);
}
