import { createHash } from 'node:crypto';
import type { NativeProgress, NativeSnapshot } from '../native/contract.js';

/** A snapshot in memory and its id. */
export interface Identified {
  readonly native: NativeSnapshot;
  /** Reads the pages that were never digested. */
  readonly id: () => Promise<string>;
}

/** SHA-256 over the machine's state and the CRC of each page: docs/SNAPSHOT_FORMAT.md, "Identity". */
export function identityOf(stateBytes: Uint8Array, pageCrcs: BigUint64Array): string {
  const crcBytes = new Uint8Array(pageCrcs.buffer, pageCrcs.byteOffset, pageCrcs.byteLength);
  return createHash('sha256').update(stateBytes).update(crcBytes).digest('hex');
}

/** The id; what takes long of it is watched. */
export async function watchedId({ native, id }: Identified, progress: NativeProgress): Promise<string> {
  await native.digest(progress);
  return await id();
}
