import { StandstillError } from '../base/errors.js';
import { addon } from '../native/addon.js';
import type { NativePageStore, NativeProgress, NativeSnapshot } from '../native/contract.js';
import type { NativeSnapshotFile, NativeSnapshotLoader } from '../native/snapshot-file-contract.js';
import { inflateChunks } from './codec.js';
import { identify, type OpenFile, openFile } from './file.js';
import { type Identified, watchedId } from './identity.js';

/** Files of which each builds on the one before it; the first on a snapshot in memory, or on nothing. */
export interface Chain {
  readonly base: Identified | undefined;
  readonly files: readonly OpenFile[];
}

/** What a file builds on, found among the bases by their ids. ERR_SNAPSHOT_MISMATCH. */
export async function chainOf(
  head: OpenFile,
  bases: readonly (OpenFile | Identified)[],
  progress: NativeProgress,
): Promise<Chain> {
  const files = [head];
  let left = bases;
  for (let { baseId } = head; baseId !== undefined; ) {
    const base = await withId(left, baseId, progress);
    if (base === undefined) throw withoutBase(files[0] ?? head, baseId, bases.length);
    if (!('path' in base)) return { base, files };
    left = left.filter((other) => other !== base); // bases that name each other end here
    files.unshift(base);
    baseId = base.baseId;
  }
  return { base: undefined, files };
}

/** The newest of files in any order, of which each but one is the base of another. ERR_SNAPSHOT_MISMATCH. */
export function headOf(files: readonly OpenFile[], what: string): OpenFile {
  const bases = new Set(files.map(({ baseId }) => baseId));
  const heads = files.filter(({ id }) => !bases.has(id));
  const [head] = heads;
  if (head !== undefined && heads.length === 1) return head;
  const received = `${heads.length} files that no other builds on`;
  throw new StandstillError(
    'ERR_SNAPSHOT_MISMATCH',
    `Expected one chain of files for ${what} but received ${received}`,
  );
}

/** Loads a chain from its first file on; its snapshots share their pages. */
export async function loadChain(
  { base, files }: Chain,
  store: NativePageStore,
  progress: NativeProgress,
): Promise<NativeSnapshot> {
  let snapshot = base?.native ?? null;
  for (const file of files) {
    const loader = await addon.createSnapshotLoader(file.native, store, snapshot);
    await readInto(loader, file, progress);
    snapshot = await loader.finish();
  }
  return snapshot as NativeSnapshot; // there is a file at least
}

/**
 * A file that stands alone, its RAM left in it; with `verify`, every byte was read and checked. Nobody goes by its id,
 * which is checked with the rest.
 */
export async function mapFile(
  path: string,
  native: NativeSnapshotFile,
  verify: boolean,
  store: NativePageStore,
  progress: NativeProgress,
): Promise<NativeSnapshot> {
  if (verify) {
    identify(path, native);
    await native.verify(progress);
  }
  return await addon.mapSnapshotFile(native, store);
}

export const openAll = (paths: readonly string[]): Promise<OpenFile[]> => Promise.all(paths.map(openFile));

async function readInto(loader: NativeSnapshotLoader, file: OpenFile, progress: NativeProgress): Promise<void> {
  if (!file.info.compressed) return await loader.readChunks(progress);
  await inflateChunks(file, (chunk, pages) => loader.putChunk(chunk, pages), progress);
}

async function withId(
  bases: readonly (OpenFile | Identified)[],
  wanted: string,
  progress: NativeProgress,
): Promise<OpenFile | Identified | undefined> {
  for (const base of bases) {
    if (('path' in base ? base.id : await watchedId(base, progress)) === wanted) return base;
  }
  return undefined;
}

function withoutBase({ path }: OpenFile, baseId: string, count: number): StandstillError {
  const received = count === 0 ? 'none' : `${count} without it`;
  const message = `Expected the base ${baseId} for ${path} among the bases but received ${received}`;
  return new StandstillError('ERR_SNAPSHOT_MISMATCH', message);
}
