import { StandstillError } from '../base/errors.js';
import type { ProgressOptions } from '../base/progress.js';
import { addon } from '../native/addon.js';
import type {
  NativeProcessDifference,
  NativeProcessImage,
  NativeProcessImageInfo,
} from '../native/process-contract.js';
import { watched } from '../native/watched.js';

/** The first thing that differs between two images of a frozen guest. */
export interface MemoryDifference {
  /** What: its processes, where a task stands, a mapping, which pages are there, or what is in one. */
  readonly change: NativeProcessDifference['change'];
  readonly pid: number;
  /** The first range of pages that differs, as '0x7f…'; null where it is no matter of pages. */
  readonly address: string | null;
  readonly lengthBytes: number;
  /** The mapping in which it lies, as /proc has it: '[heap]', '/memfd:x (deleted)'; '' for one without a name. */
  readonly mapping: string;
  /** All pages that differ. */
  readonly pagesChanged: number;
  readonly detail: string;
  /** Who may write there rightly while every task is frozen; null for nobody. */
  readonly possibleWriter: string | null;
}

const WRITERS = {
  shared: 'another process that has mapped the same memory',
  private: 'asynchronous I/O that was under way (io_uring, AIO, O_DIRECT), or a debugger',
} as const;

const native: unique symbol = Symbol('standstill.nativeProcessImage');

/**
 * What a frozen guest is in memory: its mappings, the CRC of each page with content of its own in a writable private or
 * shared anonymous mapping, and where each of its tasks stands. Two of one freeze prove that nothing moved.
 */
export class ProcessMemoryImage {
  /** @internal */
  readonly [native]: NativeProcessImage;
  readonly info: Readonly<NativeProcessImageInfo>;

  private constructor(image: NativeProcessImage) {
    this[native] = image;
    this.info = image.info();
  }

  /** Reads the processes, on the engine's threads. Rejects with ERR_PROCESS_UNREADABLE, ERR_ABORTED. */
  static async capture(pids: number[], name: string, options: ProgressOptions): Promise<ProcessMemoryImage> {
    return await watched(options, 'memory proof', async (progress) => {
      const captured = await addon.captureProcesses(pids, progress);
      if (captured.image !== null) return new ProcessMemoryImage(captured.image);
      if (progress.cancelled()) throw new StandstillError('ERR_ABORTED', 'The memory proof was aborted');
      throw new StandstillError(
        'ERR_PROCESS_UNREADABLE',
        `Expected memory of VM '${name}' that can be read but process ${captured.pid} refuses: ${captured.error}`,
      );
    });
  }

  /** Of each page read, in the order of pids and addresses. */
  pageCrcs(): BigUint64Array {
    return this[native].pageCrcs();
  }

  /** The first difference to a later image, or null where there is none. */
  compare(later: ProcessMemoryImage): MemoryDifference | null {
    const found = this[native].compare(later[native]);
    if (found === null) return null;
    const isOfPages = found.change === 'content' || found.change === 'presence';
    const writer = found.permissions.endsWith('s') ? WRITERS.shared : WRITERS.private;
    return {
      change: found.change,
      pid: found.pid,
      address: isOfPages ? `0x${found.address.toString(16)}` : null,
      lengthBytes: found.lengthBytes,
      mapping: found.mapping,
      pagesChanged: found.pagesChanged,
      detail: found.detail,
      possibleWriter: isOfPages ? writer : null,
    };
  }
}

/** In a sentence without its full stop. */
export function describeDifference(difference: MemoryDifference): string {
  const { change, pid, address, lengthBytes, mapping, pagesChanged, detail, possibleWriter } = difference;
  if (address === null) return `${change} of process ${pid}: ${detail}`;
  const place = mapping === '' ? 'an anonymous mapping' : mapping;
  const writer = possibleWriter === null ? '' : `; a possible legitimate writer is ${possibleWriter}`;
  return `${pagesChanged} pages, first ${lengthBytes} bytes at ${address} in ${place} of process ${pid}${writer}`;
}
