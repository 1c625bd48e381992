import type { ErrorCode } from '../../base/error-codes.js';
import { isStandstillError } from '../../base/errors.js';
import { compareDigests, type MemoryVerdict } from '../../maintenance/proof.js';
import { describeDifference, type ProcessMemoryImage } from '../../process/memory-image.js';
import { ProcessVm } from '../../process/process-vm.js';
import type { MemoryDigest, Vm } from '../../vm/vm.js';

/** All memory of a guest that stands still, read once. */
type Reading = { readonly digest: MemoryDigest } | { readonly image: ProcessMemoryImage };

/** What two readings of one freeze say. */
export interface FreezeProof {
  readonly memory: MemoryVerdict;
  /** The first thing that changed; null where nothing did, or nothing is proved. */
  readonly difference: string | null;
  readonly bytesRead: number;
}

/** It was released, or has ended, before all of it was read. */
const NOT_READ: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ERR_LEASE_REVOKED',
  'ERR_VM_NOT_PAUSED',
  'ERR_VM_CLOSED',
  'ERR_PROCESS_ENDED',
]);

export async function readMemory(vm: Vm): Promise<Reading | undefined> {
  try {
    return vm instanceof ProcessVm ? { image: await vm.memoryImage() } : { digest: await vm.digest() };
  } catch (error) {
    if (isStandstillError(error) && NOT_READ.has(error.code)) return undefined;
    throw error;
  }
}

export function proofOf(before: Reading | undefined, after: Reading | undefined): FreezeProof {
  if (before !== undefined && after !== undefined) {
    if ('digest' in before && 'digest' in after) {
      const { memory, changedPages, bytesRead } = compareDigests(before.digest, after.digest);
      const difference = changedPages === null ? null : `${changedPages.count} pages, first ${changedPages.firstPage}`;
      return { memory, difference, bytesRead };
    }
    if ('image' in before && 'image' in after) {
      const difference = before.image.compare(after.image);
      return {
        memory: difference === null ? 'preserved' : 'changed',
        difference: difference === null ? null : describeDifference(difference),
        bytesRead: after.image.info.bytesRead,
      };
    }
  }
  return { memory: 'unproven', difference: null, bytesRead: 0 };
}
