// QEMU without hardware virtualisation (TCG, never KVM), driven over QMP, with a guest of our own.
//
// The guest is a kernel of 43 bytes of code behind a multiboot header. It writes one word to each page from 2 MiB to
// the end of its RAM, so that no page is zero, then says so in the page below 2 MiB, and from then on increments a
// word in each of these pages again, for ever, with interrupts off and no device used.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const MIB = 2 ** 20;
const LOAD_AT = MIB;
const FILLED_AT = 2 * MIB - 4096;
const FILL_FROM = 2 * MIB;
const BINARY = 'qemu-system-x86_64';

export const isInstalled = (program) =>
  (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));

/** @returns why QEMU cannot be a peer here; null where it can */
export const whyNot = () => (isInstalled(BINARY) ? null : `${BINARY} is not installed (Debian: qemu-system-x86)`);

/** A multiboot kernel: header with its own addresses, then 32-bit code without a stack. */
function guestKernel(ramBytes) {
  const header = Buffer.alloc(32);
  const MAGIC = 0x1badb002;
  const HAS_ADDRESSES = 1 << 16;
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(HAS_ADDRESSES, 4);
  header.writeUInt32LE((0 - MAGIC - HAS_ADDRESSES) >>> 0, 8);
  // Where the header, the code and no bss go, and where to begin.
  [LOAD_AT, LOAD_AT, 0, 0, LOAD_AT + header.length].forEach((value, index) => {
    header.writeUInt32LE(value, 12 + 4 * index);
  });
  const word = (value) => [...new Uint8Array(Uint32Array.of(value).buffer)];
  const walk = (endAddress) => [
    ...[0xbf, ...word(FILL_FROM)], //          mov edi, FILL_FROM
    ...[0xff, 0x07], //                  next: inc dword [edi]
    ...[0x81, 0xc7, ...word(4096)], //         add edi, 4096
    ...[0x81, 0xff, ...word(endAddress)], //   cmp edi, end
    ...[0x72, 0xf0], //                        jb next
  ];
  const store = [0xc7, 0x05, ...word(FILLED_AT), ...word(1)]; // mov dword [FILLED_AT], 1
  const forEver = walk(ramBytes);
  return Buffer.concat([
    header,
    Buffer.from([0xfa, ...walk(ramBytes), ...store, ...forEver, 0xeb, 256 - (forEver.length + 2)]),
  ]);
}

export class Qemu {
  #child;
  #socket;
  #answers = [];
  #events = [];
  #waiting = new Set();
  /** What it printed: the reason where it does not start. */
  #said = '';

  /** @param {{ folder: string, ramBytes: number, disk?: boolean }} options a disk is where savevm keeps its snapshots */
  static async start({ folder, ramBytes, disk = false }) {
    const qemu = new Qemu();
    const kernel = join(folder, 'guest.bin');
    await writeFile(kernel, guestKernel(ramBytes));
    const socket = join(folder, 'qmp');
    await rm(socket, { force: true });
    const machine = ['-nodefaults', '-no-user-config', '-display', 'none', '-accel', 'tcg', '-smp', '1'];
    const image = join(folder, 'disk.qcow2');
    if (disk) await promisify(execFile)('qemu-img', ['create', '-q', '-f', 'qcow2', image, String(2 * MIB)]);
    const drive = disk ? ['-drive', `file=${image},format=qcow2,if=virtio,cache=unsafe`] : [];
    qemu.#child = spawn(
      BINARY,
      [
        ...machine,
        ...drive,
        ...['-m', `${ramBytes / MIB}M`, '-kernel', kernel, '-qmp', `unix:${socket},server=on,wait=on`],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    qemu.#child.stderr.on('data', (data) => {
      qemu.#said += data;
    });
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

  get pid() {
    return this.#child.pid;
  }

  async #connect(path) {
    for (let i = 0; !existsSync(path); i++) {
      if (this.#child.exitCode !== null || i > 2000)
        throw new Error(`Expected QEMU to start but received: ${this.#said.trim() || 'nothing'}`);
      await sleep(5);
    }
    this.#socket = createConnection(path);
    await once(this.#socket, 'connect');
    createInterface({ input: this.#socket }).on('line', (line) => this.#hear(JSON.parse(line)));
    this.#socket.on('close', () => {
      for (const { reject } of this.#answers.splice(0)) reject(new Error('Expected an answer but QEMU has ended'));
    });
  }

  #hear(message) {
    if (message.event !== undefined) {
      const { seconds, microseconds } = message.timestamp;
      this.#events.push({ name: message.event, data: message.data, atUs: seconds * 1e6 + microseconds });
      for (const wake of this.#waiting) wake();
    } else if (message.return !== undefined || message.error !== undefined) {
      const { resolve, reject } = this.#answers.shift();
      if (message.error === undefined) resolve(message.return);
      else reject(new Error(message.error.desc));
    }
  }

  /** One QMP command; rejects with what QEMU says. */
  execute(command, args) {
    return new Promise((resolve, reject) => {
      this.#answers.push({ resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    });
  }

  /** A command of the human monitor; those answer nothing where all is well. */
  async monitor(line) {
    const said = await this.execute('human-monitor-command', { 'command-line': line });
    if (/error|fail|could not/i.test(said)) throw new Error(said.trim());
    return said;
  }

  forgetEvents() {
    this.#events = [];
  }

  /** The first event of this name since `forgetEvents`; waits for it, a minute at most. */
  async event(name, matches = () => true) {
    const untilMs = performance.now() + 60_000;
    for (;;) {
      const found = this.#events.find((event) => event.name === name && matches(event.data));
      if (found !== undefined) return found;
      if (performance.now() > untilMs) throw new Error(`Expected the event ${name} within a minute but received none`);
      await new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, 1000);
        this.#waiting.add(wake);
      });
    }
  }

  /** How long the guest stood still, by the stamps of QEMU's own events. */
  async standstillNs() {
    const stop = await this.event('STOP');
    const resume = await this.event('RESUME');
    return Math.round((resume.atUs - stop.atUs) * 1000);
  }

  /** Waits until QEMU is in this state: some commands are refused for a moment after the event of the one before. */
  async status(wanted) {
    for (let i = 0; i < 1000; i++) {
      const { status } = await this.execute('query-status');
      if (status === wanted) return;
      await sleep(5);
    }
    throw new Error(`Expected QEMU in state ${wanted} within 5 s but it is in another one`);
  }

  async #untilFilled() {
    for (let i = 0; i < 6000; i++) {
      const said = await this.execute('human-monitor-command', {
        'command-line': `xp /1wx 0x${FILLED_AT.toString(16)}`,
      });
      if (/0x0*1\s*$/.test(said.trim())) return;
      await sleep(10);
    }
    throw new Error('Expected the guest to fill its RAM within a minute but it did not');
  }

  async close() {
    this.#socket?.destroy();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }
}
