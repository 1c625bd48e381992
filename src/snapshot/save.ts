import { z } from 'zod';
import type { ProgressOptions } from '../base/progress.js';
import { addon } from '../native/addon.js';
import type { NativeProgress } from '../native/contract.js';
import { deflateChunks } from './codec.js';
import { type Identified, watchedId } from './identity.js';

export const compressSchema = z.boolean('true or false').default(false);

export interface SaveOptions extends ProgressOptions {
  /** Deflate each 256 KiB of RAM: smaller, slower, and loaded into memory as a whole. Default false. */
  compress?: boolean | undefined;
}

/** Writes a file, whole or not at all. */
export async function writeFile(
  path: string,
  snapshot: Identified,
  base: Identified | undefined,
  compress: boolean,
  progress: NativeProgress,
): Promise<void> {
  const options = {
    compressed: compress,
    id: bytesOf(await watchedId(snapshot, progress)),
    base: base?.native ?? null,
    baseId: base === undefined ? null : bytesOf(await watchedId(base, progress)),
  };
  const writer = await addon.createSnapshotWriter(path, snapshot.native, options, progress);
  try {
    if (compress) await deflateChunks(writer, progress);
    else await writer.writeChunks(progress);
    await writer.commit();
  } finally {
    await writer.close();
  }
}

const bytesOf = (id: string): Uint8Array => new Uint8Array(Buffer.from(id, 'hex'));
