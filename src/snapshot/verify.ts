import { z } from 'zod';
import { parseOptions } from '../base/options.js';
import { type ProgressOptions, progressFields } from '../base/progress.js';
import { PAGE_BYTES } from '../base/units.js';
import { addon } from '../native/addon.js';
import type { NativeProgress } from '../native/contract.js';
import { watched } from '../native/watched.js';
import { inflateChunks } from './codec.js';
import { CHUNK_PAGES, damaged, damageOf, type OpenFile, openFile, parsePath, type SnapshotDamage } from './file.js';

const progressSchema = z.strictObject(progressFields);

/** Whether every byte of a file is as it was written, and if not, where the first damage is. */
export interface SnapshotVerification {
  readonly ok: boolean;
  readonly damage: SnapshotDamage | undefined;
}

/**
 * Reads every byte of a file and checks it; of a compressed one also that it inflates to the pages that were saved. On
 * the engine's threads. A damaged file, and what is none, resolves with `ok: false`. Rejects with ERR_SNAPSHOT_IO (it
 * cannot be read), ERR_ABORTED, ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION.
 */
export async function verifySnapshotFile(path: string, options: ProgressOptions = {}): Promise<SnapshotVerification> {
  const parsed = parseOptions(progressSchema, options, 'a verification');
  const absolute = parsePath(path, 'a verification');
  try {
    await watched(parsed, 'verification', async (progress) => {
      const file = await openFile(absolute);
      await file.native.verify(progress);
      if (file.info.compressed) await checkInflated(file, progress);
    });
    return { ok: true, damage: undefined };
  } catch (error) {
    const damage = damageOf(error);
    if (damage === undefined) throw error;
    return { ok: false, damage };
  }
}

async function checkInflated(file: OpenFile, progress: NativeProgress): Promise<void> {
  const present = file.native.present();
  const crcs = file.native.pageCrcs();
  const check = (chunk: number, pages: Uint8Array) => {
    let at = 0;
    for (let bits = present[chunk] ?? 0n, page = chunk * CHUNK_PAGES; bits !== 0n; bits >>= 1n, page += 1) {
      if ((bits & 1n) === 0n) continue;
      if (addon.crc64(0n, pages.subarray(at, at + PAGE_BYTES)) !== crcs[page]) throw inChunk(`a damaged page ${page}`);
      at += PAGE_BYTES;
    }
    if (at !== pages.length) throw inChunk(`more than the pages of chunk ${chunk}`);

    function inChunk(what: string) {
      return damaged(file.path, { what, offset: file.native.chunkOffset(chunk) });
    }
  };
  await inflateChunks(file, check, progress);
}
