import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { StandstillError } from '../base/errors.js';
import { PAGE_BYTES } from '../base/units.js';
import type { NativeProgress } from '../native/contract.js';
import type { NativeSnapshotWriter } from '../native/snapshot-file-contract.js';
import { CHUNK_PAGES, damaged, type OpenFile } from './file.js';

const CHUNK_BYTES = CHUNK_PAGES * PAGE_BYTES;
const LEVEL = zlib.constants.Z_BEST_SPEED;
// zlib runs on the threads of Node's own file access, of which one is left to everybody else.
const NODE_THREADS_DEFAULT = 4;
const nodeThreads = Number(process.env.UV_THREADPOOL_SIZE) || NODE_THREADS_DEFAULT;
const PARALLEL = Math.max(1, Math.min(availableParallelism(), nodeThreads - 1));

const deflate = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);
const inflate = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.inflateRaw);

/** Writes every chunk of a compressed file. */
export async function deflateChunks(writer: NativeSnapshotWriter, progress: NativeProgress): Promise<void> {
  const pack = async (chunk: number) => {
    const pages = await writer.chunkPages(chunk);
    return pages.length === 0 ? undefined : await deflate(pages, { level: LEVEL });
  };
  const put = async (chunk: number, stored: Buffer | undefined) => {
    if (stored !== undefined) await writer.putChunk(chunk, stored);
  };
  await inOrder(writer.chunkCount(), pack, put, progress);
}

/** Hands out the pages of every chunk of a compressed file that has any. ERR_SNAPSHOT_DAMAGED. */
export async function inflateChunks(
  { native, path, info }: OpenFile,
  put: (chunk: number, pages: Uint8Array) => void | Promise<void>,
  progress: NativeProgress,
): Promise<void> {
  const present = native.present();
  const unpack = async (chunk: number) => {
    if (present[chunk] === 0n) return;
    const stored = await native.readChunk(chunk);
    return await inflate(stored, { maxOutputLength: CHUNK_BYTES }).catch(() => {
      throw damaged(path, { what: `a chunk ${chunk} that does not inflate`, offset: native.chunkOffset(chunk) });
    });
  };
  const putPresent = async (chunk: number, pages: Buffer | undefined) => {
    if (pages !== undefined) await put(chunk, pages);
  };
  await inOrder(info.chunkCount, unpack, putPresent, progress);
}

/** Works on several chunks at a time, and puts the results in order, one at a time. */
async function inOrder<T>(
  count: number,
  work: (chunk: number) => Promise<T>,
  put: (chunk: number, result: T) => Promise<void>,
  progress: NativeProgress,
): Promise<void> {
  const underWay: Promise<T>[] = [];
  let next = 0;
  progress.begin(count);
  try {
    for (let chunk = 0; chunk < count; chunk += 1) {
      if (progress.cancelled()) throw new StandstillError('ERR_ABORTED', 'The work was cancelled');
      for (; next < count && underWay.length < PARALLEL; next += 1) {
        const result = work(next);
        result.catch(() => {}); // it is looked at in its turn
        underWay.push(result);
      }
      await put(chunk, await (underWay.shift() as Promise<T>));
      progress.add(1);
    }
  } finally {
    await Promise.allSettled(underWay);
  }
}
