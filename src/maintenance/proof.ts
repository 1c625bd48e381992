import { PAGE_BYTES } from '../base/units.js';
import type { MemoryDifference } from '../process/memory-image.js';
import type { DigestOptions, MemoryDigest } from '../vm/vm.js';

/**
 * How memory is proved. 'deferred': inside the freeze only the pages that the guest wrote last are read; every byte is
 * read as it stood at the release, behind the running guest. 'full': all of it is read at the halt, and again as the last
 * act before the release. 'sampled': so is a seeded share of the pages. 'none': nothing is. A process has 'full' and 'none'.
 */
export type Proof = 'deferred' | 'full' | 'sampled' | 'none';

/**
 * 'preserved': the bytes read at the release equal those read at the halt. 'changed': they do not. 'unproven': nothing
 * was compared, by the user's wish, for want of time, or because the guest ran before the closing digest was done. 'lost': the VM was restarted, as the
 * patch needed and its user allowed.
 */
export type MemoryVerdict = 'preserved' | 'changed' | 'unproven' | 'lost';

/** Where memory is not what it was. */
export interface ChangedPages {
  /** How many of the pages read differ. */
  count: number;
  /** Number and guest physical address of the first of them. */
  firstPage: number;
  firstGpa: number;
  /** The bytes around the first difference; null where they were not kept. */
  bytes: ChangedBytes | null;
}

/** What lies around the first byte that differs, as hexadecimal digits. */
export interface ChangedBytes {
  /** Guest physical address of the first byte shown. */
  gpa: number;
  atHalt: string;
  atRelease: string;
}

/** What is known of the memory of one VM, and of which bytes it is known. */
export interface MemoryProof {
  memory: MemoryVerdict;
  /** CRC-64/NVME of the bytes read, as 16 hexadecimal digits; null where it was not taken. */
  digestBefore: string | null;
  digestAfter: string | null;
  /** What the closing digest read, and so what the verdict stands on; all of RAM with a full or deferred proof. */
  bytesRead: number;
  /** What both digests read while the guest stood still: the proof's price in blackout. */
  bytesReadInFreeze: number;
  changedPages: ChangedPages | null;
  /** Of a process: the first thing that changed, with its mapping and who may have written there rightly. */
  difference: MemoryDifference | null;
  /** What kept a process from being proved, where that is known. */
  unprovenReason: string | null;
}

/** What a maintenance says of its proof. */
export interface ProofTerms {
  readonly proof: Proof;
  /** Of 'sampled'. */
  readonly sampleShare: number;
  readonly seed: number;
  /** Of 'full' and 'sampled': keep memory as it was at the halt, so that what changed is shown by its bytes. */
  readonly keepBytes: boolean;
}

export const UNPROVEN: MemoryProof = {
  memory: 'unproven',
  digestBefore: null,
  digestAfter: null,
  bytesRead: 0,
  bytesReadInFreeze: 0,
  changedPages: null,
  difference: null,
  unprovenReason: null,
};

export function digestOptions({ proof, sampleShare, seed }: ProofTerms): DigestOptions {
  return proof === 'sampled' ? { share: sampleShare, seed: BigInt(seed) } : {};
}

export function compareDigests(before: MemoryDigest | undefined, after: MemoryDigest | undefined): MemoryProof {
  const changedPages = before === undefined || after === undefined ? null : comparePages(before, after);
  return {
    ...UNPROVEN,
    memory: verdict(before, after, changedPages),
    digestBefore: before === undefined ? null : hex64(before.value),
    digestAfter: after === undefined ? null : hex64(after.value),
    bytesRead: after?.bytesRead ?? 0,
    bytesReadInFreeze: (before?.bytesRead ?? 0) + (after?.bytesRead ?? 0),
    changedPages,
  };
}

function verdict(
  before: MemoryDigest | undefined,
  after: MemoryDigest | undefined,
  changedPages: ChangedPages | null,
): MemoryVerdict {
  if (before === undefined || after === undefined) return 'unproven';
  return before.value === after.value && changedPages === null ? 'preserved' : 'changed';
}

function comparePages(before: MemoryDigest, after: MemoryDigest): ChangedPages | null {
  const changed: number[] = [];
  before.pageCrcs.forEach((crc, page) => {
    if (crc !== after.pageCrcs[page]) changed.push(page);
  });
  const firstPage = changed[0];
  if (firstPage === undefined) return null;
  return { count: changed.length, firstPage, firstGpa: firstPage * PAGE_BYTES, bytes: null };
}

const SHOWN_ROW_BYTES = 16;

/** The row in which the first byte differs and its neighbours, of one page at the halt and at the release. */
export function changedBytes(pageGpa: number, atHalt: Uint8Array, atRelease: Uint8Array): ChangedBytes | null {
  const first = atHalt.findIndex((byte, index) => byte !== atRelease[index]);
  if (first === -1) return null;
  const row = first - (first % SHOWN_ROW_BYTES);
  const [from, to] = [Math.max(0, row - SHOWN_ROW_BYTES), row + 2 * SHOWN_ROW_BYTES];
  const hex = (bytes: Uint8Array) => Buffer.from(bytes.subarray(from, to)).toString('hex');
  return { gpa: pageGpa + from, atHalt: hex(atHalt), atRelease: hex(atRelease) };
}

export const hex64 = (value: bigint): string => value.toString(16).padStart(16, '0');
