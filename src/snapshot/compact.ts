import { z } from 'zod';
import { parseOptions } from '../base/options.js';
import { progressFields } from '../base/progress.js';
import { watched } from '../native/watched.js';
import { openFile, parsePath, pathSchema } from './file.js';
import { infoOf, type SnapshotFileInfo } from './inspect.js';
import { chainOf, headOf, loadChain, openAll } from './load.js';
import { compressSchema, type SaveOptions, writeFile } from './save.js';
import { ownPageStore } from './store.js';

const EXPECTED_PATHS = 'the paths of one file at least';
const compactSchema = z.strictObject({ compress: compressSchema, ...progressFields });
const chainSchema = z.strictObject({ paths: z.array(pathSchema, EXPECTED_PATHS).min(1, EXPECTED_PATHS) });

/**
 * Folds a chain of differential files, given in any order, into one that stands alone and has the id of the newest of
 * them. Everything is checked as it is read, the chain is in memory meanwhile, and `out` may be one of the files: it is
 * written whole or not at all. On the engine's threads; compression on Node's. Resolves with what the new file says of
 * itself. Rejects with ERR_SNAPSHOT_MISMATCH (no one chain), ERR_SNAPSHOT_DAMAGED, ERR_SNAPSHOT_IO,
 * ERR_SNAPSHOT_LIMIT (more than half the machine's memory), ERR_OUT_OF_MEMORY, ERR_ABORTED, ERR_INVALID_OPTION,
 * ERR_UNKNOWN_OPTION.
 */
export async function compactSnapshotFiles(
  paths: readonly string[],
  out: string,
  options: SaveOptions = {},
): Promise<SnapshotFileInfo> {
  const { compress, ...watch } = parseOptions(compactSchema, options, 'a compaction');
  const chained = parseOptions(chainSchema, { paths }, 'a compaction');
  const target = parsePath(out, 'a compaction');
  await watched(watch, 'compaction', async (progress) => {
    const files = await openAll(chained.paths);
    const head = headOf(files, 'a compaction');
    const native = await loadChain(await chainOf(head, files, progress), ownPageStore(), progress);
    await writeFile(target, { native, id: async () => head.id }, undefined, compress, progress);
  });
  return await infoOf(await openFile(target));
}
