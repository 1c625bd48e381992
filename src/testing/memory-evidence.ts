import { PAGE_BYTES } from '../base/units.js';
import {
  describeDifference,
  type FrozenVmReport,
  type MemoryProof,
  type ProcessFreezeReport,
  type VmReport,
} from '../index.js';
import type { MemoryEvidence } from './evidence.js';
import { hexDump } from './hex.js';

/** What a maintenance, or a freeze with a proof, found of one VM's memory. */
export function memoryOfVm(vm: VmReport | FrozenVmReport): MemoryEvidence {
  const digests = `digest at halt ${vm.digestBefore ?? 'not taken'}, at release ${vm.digestAfter ?? 'not taken'}`;
  return { verdict: vm.memory, lines: [...whyOf(vm), digests] };
}

function whyOf({ memory, changedPages, difference, unprovenReason, bytesRead }: MemoryProof): string[] {
  if (memory === 'lost') return ['the VM was shut down and started again'];
  if (unprovenReason !== null) return [unprovenReason];
  // Of a process, whose image keeps a CRC of each page and no bytes.
  if (difference !== null) return [describeDifference(difference)];
  if (changedPages === null) return [];
  const { count, firstPage, firstGpa, bytes } = changedPages;
  const pages = count === 1 ? '1 page differs' : `${count} pages differ`;
  const read = Math.ceil(bytesRead / PAGE_BYTES);
  const first = `the first is page 0x${firstPage.toString(16)}, at 0x${firstGpa.toString(16)}`;
  return [`${pages} of ${read} read; ${first}`, ...hexDump(bytes)];
}

export function memoryOfProcess({ memory, difference, bytesRead }: ProcessFreezeReport): MemoryEvidence {
  const lines = [`${bytesRead} bytes read`];
  if (difference !== null) lines.unshift(describeDifference(difference));
  return { verdict: memory, lines };
}
