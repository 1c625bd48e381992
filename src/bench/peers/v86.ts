/**
 * v86 from npm, an x86 emulator in JavaScript and WebAssembly, where the user has installed it: in a worker thread, so
 * that its guest does not share an event loop with who asks. Its guest is ours, in a BIOS image that is nothing else.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { messageOf } from '../../base/errors.js';
import { CaseSkipped } from '../case.js';
import { FILLED_AT, guestCode, word } from './guest-code.js';

const BIOS_BYTES = 0x1_0000;
/** Where the image lies, below 1 MiB, and where in it the CPU begins. */
const BIOS_AT = 0x10_0000 - BIOS_BYTES;
const RESET_OFFSET = 0xfff0;

/** What the worker is given: where v86 is, and what it runs. */
export interface V86Setup {
  readonly modulePath: string;
  readonly wasmPath: string;
  readonly bios: ArrayBuffer;
  readonly ramBytes: number;
  readonly filledAt: number;
}
export type V86Request = 'run' | 'stop';

/** From the folder where the user is, as for a program of theirs, then from beside this package. */
function findModule(): string | null {
  try {
    return createRequire(import.meta.url).resolve('v86', { paths: [process.cwd(), import.meta.dirname] });
  } catch {
    return null;
  }
}

/** Why v86 cannot be a peer here; null where it can. */
export const whyNoV86 = (): string | null =>
  findModule() === null ? 'it is not installed in this folder (npm install v86)' : null;

/** One v86 with its guest, which has written all of its RAM. Close it. */
export class V86 {
  readonly #worker: Worker;
  readonly version: string;

  private constructor(setup: V86Setup) {
    this.version = versionOf(setup.modulePath);
    this.#worker = new Worker(new URL('./v86-worker.js', import.meta.url), { workerData: setup });
  }

  /** Resolves when the guest has filled its RAM and stands still. Rejects with CaseSkipped where v86 does not do it. */
  static async start(ramBytes: number): Promise<V86> {
    const modulePath = findModule();
    if (modulePath === null) throw new CaseSkipped(whyNoV86() ?? '');
    const wasmPath = join(dirname(modulePath), 'v86.wasm');
    const v86 = new V86({ modulePath, wasmPath, bios: biosOf(ramBytes), ramBytes, filledAt: FILLED_AT });
    try {
      await v86.#answer();
    } catch (error) {
      await v86.close();
      throw error;
    }
    return v86;
  }

  /** Resolves when the guest has run for a slice, and goes on. */
  run(): Promise<void> {
    return this.#ask('run');
  }

  /** Resolves when no instruction of the guest runs any more. */
  stop(): Promise<void> {
    return this.#ask('stop');
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #ask(request: V86Request): Promise<void> {
    const answer = this.#answer();
    this.#worker.postMessage(request);
    return answer;
  }

  async #answer(): Promise<void> {
    try {
      await once(this.#worker, 'message');
    } catch (error) {
      throw new CaseSkipped(`Expected v86 ${this.version} to answer but received: ${messageOf(error)}`);
    }
  }
}

/** Of the package around its module. */
const versionOf = (modulePath: string): string =>
  JSON.parse(readFileSync(join(dirname(modulePath), '..', 'package.json'), 'utf8')).version;

/** A BIOS that switches to 32-bit protected mode with flat segments and goes on as the guest. */
function biosOf(ramBytes: number): ArrayBuffer {
  const [BOOT, TABLE, CODE] = [0x0000, 0x0100, 0x0200];
  const [CODE_SEGMENT, DATA_SEGMENT] = [0x08, 0x10];
  const image = new Uint8Array(BIOS_BYTES);
  image.set([0xe9, ...half(BOOT - (RESET_OFFSET + 3))], RESET_OFFSET); // jmp boot
  image.set(
    [
      ...[0xfa], //                                                  cli
      ...[0x2e, 0x0f, 0x01, 0x16, ...half(TABLE)], //                lgdt cs:[TABLE]
      ...[0x0f, 0x20, 0xc0], //                                      mov eax, cr0
      ...[0x0c, 0x01], //                                            or al, 1
      ...[0x0f, 0x22, 0xc0], //                                      mov cr0, eax
      ...[0x66, 0xea, ...word(BIOS_AT + CODE), ...half(CODE_SEGMENT)], // jmp CODE_SEGMENT:CODE
    ],
    BOOT,
  );
  // The null descriptor's place holds the table's own size and address, which lgdt reads.
  image.set([...half(3 * 8 - 1), ...word(BIOS_AT + TABLE), 0, 0], TABLE);
  image.set(flatSegment(0x9a), TABLE + CODE_SEGMENT);
  image.set(flatSegment(0x92), TABLE + DATA_SEGMENT);
  const loadData = [0x66, 0xb8, ...half(DATA_SEGMENT), 0x8e, 0xd8]; // mov ax, DATA_SEGMENT; mov ds, ax
  image.set([...loadData, ...guestCode(ramBytes)], CODE);
  return image.buffer;
}

const half = (value: number): number[] => word(value >>> 0).slice(0, 2);
/** 32 bits, all of the 4 GiB. */
const flatSegment = (access: number): number[] => [0xff, 0xff, 0, 0, 0, access, 0xcf, 0];
