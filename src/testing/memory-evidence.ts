import { PAGE_BYTES } from '../base/units.js';
import { describeDifference, type FrozenVmReport, type ProcessFreezeReport, type VmReport } from '../index.js';
import type { MemoryEvidence } from './evidence.js';

/** What a maintenance, or a freeze with a proof, found of one VM's memory. */
export function memoryOfVm(vm: VmReport | FrozenVmReport): MemoryEvidence {
  const lines = [`digest at halt ${vm.digestBefore ?? 'not taken'}, at release ${vm.digestAfter ?? 'not taken'}`];
  if (vm.memory === 'lost') lines.push('the VM was shut down and started again');
  if (vm.difference !== null) lines.unshift(describeDifference(vm.difference));
  const { changedPages } = vm;
  if (changedPages !== null) {
    const { count, firstPage, firstGpa } = changedPages;
    const pages = count === 1 ? '1 page differs' : `${count} pages differ`;
    const read = Math.ceil(vm.bytesRead / PAGE_BYTES);
    lines.unshift(
      `${pages} of ${read} read; the first is page 0x${firstPage.toString(16)}, at 0x${firstGpa.toString(16)}`,
    );
  }
  return { verdict: vm.memory, lines };
}

export function memoryOfProcess({ memory, difference, bytesRead }: ProcessFreezeReport): MemoryEvidence {
  const lines = [`${bytesRead} bytes read`];
  if (difference !== null) lines.unshift(describeDifference(difference));
  return { verdict: memory, lines };
}
