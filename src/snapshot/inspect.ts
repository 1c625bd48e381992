import { stat } from 'node:fs/promises';
import { PAGE_BYTES } from '../base/units.js';
import { addon } from '../native/addon.js';
import { type OpenFile, openFile, parsePath } from './file.js';

/** What stat counts in, whatever the file system does. */
const STAT_BLOCK_BYTES = 512;

/**
 * What a file has of a page: nothing, since it is all zeroes (`zero`) or the base has it (`shared`); or its bytes, in a
 * file that stands alone (`private`) or as what differs from the base (`dirty`).
 */
export type PageKind = 'zero' | 'shared' | 'private' | 'dirty';
/** The order in which `SnapshotFileInfo.pageKinds` numbers them. */
export const PAGE_KINDS: readonly PageKind[] = ['zero', 'shared', 'private', 'dirty'];

/** What a snapshot file says of itself. */
export interface SnapshotFileInfo {
  /** Absolute. */
  readonly path: string;
  readonly formatVersion: number;
  /** SHA-256 over the machine's state and the CRC of each page, as 64 hexadecimal digits; it was checked. */
  readonly id: string;
  /** The id of the snapshot that a differential file builds on. */
  readonly baseId: string | undefined;
  readonly compressed: boolean;
  readonly fileBytes: number;
  /** Without the holes in it. */
  readonly diskBytes: number;
  /** CRC-64/NVME of the RAM, as the pages' own have it. */
  readonly digest: bigint;
  readonly vmName: string;
  readonly program: string;
  readonly params: Readonly<Record<string, number>>;
  readonly seed: bigint;
  readonly ramBytes: number;
  readonly steps: number;
  readonly guestMonotonicNs: number;
  /** Since the epoch. */
  readonly guestWallNs: bigint;
  /** By the host's wall clock. */
  readonly takenAt: Date;
  /** How many pages there are of each kind. */
  readonly pages: Readonly<Record<PageKind, number>>;
  /** For each page the index of its kind in `PAGE_KINDS`. */
  readonly pageKinds: Uint8Array;
}

/**
 * Reads a file's header and tables, which are checked; not its data, which `verifySnapshotFile` checks. In milliseconds
 * a GiB of RAM, in part on the event loop. Rejects with ERR_SNAPSHOT_IO, ERR_SNAPSHOT_DAMAGED, ERR_INVALID_OPTION.
 */
export async function inspectSnapshotFile(path: string): Promise<SnapshotFileInfo> {
  return await infoOf(await openFile(parsePath(path, 'an inspection')));
}

export async function infoOf(file: OpenFile): Promise<SnapshotFileInfo> {
  const { path, native, info, id, baseId } = file;
  const { takenWallNs, registers: _, ...state } = info.state;
  const pageKinds = kindsOf(file);
  const counts = PAGE_KINDS.map(() => 0);
  for (const kind of pageKinds) counts[kind] = (counts[kind] ?? 0) + 1;
  return {
    path,
    formatVersion: info.formatVersion,
    id,
    baseId,
    compressed: info.compressed,
    fileBytes: info.fileBytes,
    diskBytes: (await stat(path)).blocks * STAT_BLOCK_BYTES,
    digest: await native.digest(),
    ...state,
    takenAt: new Date(Number(takenWallNs / 1_000_000n)),
    pages: Object.fromEntries(PAGE_KINDS.map((kind, index) => [kind, counts[index]])) as Record<PageKind, number>,
    pageKinds,
  };
}

/** The numbers of the pages, in halves, since those of 64 bits are slow. */
export const crcHalves = ({ native }: OpenFile): Uint32Array => new Uint32Array(native.pageCrcs().buffer);

function kindsOf(file: OpenFile): Uint8Array {
  const [zero, shared, own, dirty] = PAGE_KINDS.map((_, index) => index) as [number, number, number, number];
  const crcs = crcHalves(file);
  const [zeroLow, zeroHigh] = new Uint32Array(BigUint64Array.of(addon.crc64(0n, new Uint8Array(PAGE_BYTES))).buffer);
  const present = new Uint32Array(file.native.present().buffer);
  const kinds = new Uint8Array(crcs.length / 2);
  for (let page = 0; page < kinds.length; page += 1) {
    const isPresent = (((present[page >>> 5] as number) >>> (page & 31)) & 1) === 1;
    const isZero = crcs[2 * page] === zeroLow && crcs[2 * page + 1] === zeroHigh;
    if (isPresent) kinds[page] = file.info.differential ? dirty : own;
    else kinds[page] = isZero ? zero : shared;
  }
  return kinds;
}
