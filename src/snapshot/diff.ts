import { StandstillError } from '../base/errors.js';
import { formatBytes } from '../base/units.js';
import type { NativePageRange } from '../native/contract.js';
import { type OpenFile, openFile, parsePath } from './file.js';
import { crcHalves } from './inspect.js';

/**
 * Pages in a row: the number of the first of them, and how many.
 * @interface
 */
export type PageRange = NativePageRange;

/**
 * The pages that differ between two files, as ranges in address order, by the pages' CRCs, which every file has all of:
 * no data is read, and no base is needed. In milliseconds a GiB of RAM, in part on the event loop. Rejects with
 * ERR_SNAPSHOT_MISMATCH (RAM of another size), ERR_SNAPSHOT_IO, ERR_SNAPSHOT_DAMAGED, ERR_INVALID_OPTION.
 */
export async function diffSnapshotFiles(pathA: string, pathB: string): Promise<PageRange[]> {
  const [a, b] = await Promise.all([pathA, pathB].map((path) => openFile(parsePath(path, 'a diff'))));
  return differingPages(a as OpenFile, b as OpenFile);
}

export function differingPages(a: OpenFile, b: OpenFile): PageRange[] {
  const [aBytes, bBytes] = [a.info.state.ramBytes, b.info.state.ramBytes];
  if (aBytes !== bBytes) {
    const message = `Expected RAM of ${formatBytes(aBytes)}, as in ${a.path}, for ${b.path} but received ${formatBytes(bBytes)}`;
    throw new StandstillError('ERR_SNAPSHOT_MISMATCH', message);
  }
  const [aCrcs, bCrcs] = [crcHalves(a), crcHalves(b)];
  const ranges: PageRange[] = [];
  for (let page = 0; page < aCrcs.length / 2; page += 1) {
    if (aCrcs[2 * page] === bCrcs[2 * page] && aCrcs[2 * page + 1] === bCrcs[2 * page + 1]) continue;
    const last = ranges.at(-1);
    if (last !== undefined && last.firstPage + last.pageCount === page) last.pageCount += 1;
    else ranges.push({ firstPage: page, pageCount: 1 });
  }
  return ranges;
}
