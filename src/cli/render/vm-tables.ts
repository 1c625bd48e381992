import { formatBytes, formatNs } from '../../base/units.js';
import type { VmReport } from '../../maintenance/report.js';
import type { Style, Terminal } from '../terminal.js';
import { type Column, renderTable } from './table.js';

/** What the tables need; a narrower terminal gets a paragraph for each VM. */
const TABLE_COLUMNS_MIN = 98;

/** Where each VM's time went, and what became of its memory. */
export function renderVms(vms: readonly VmReport[], { style, columns }: Terminal): string {
  if (columns < TABLE_COLUMNS_MIN) return vms.map((vm) => renderParagraph(vm, style)).join('\n\n');
  const title = (text: string) => style.bold(text);
  return [
    title('Time'),
    renderTable(timeColumns(style), vms, style),
    '',
    title('Memory'),
    renderTable(memoryColumns(style), vms, style),
  ].join('\n');
}

const timeColumns = (style: Style): Column<VmReport>[] => [
  { head: 'VM', align: 'left', cell: (vm) => vm.name },
  { head: 'pause', align: 'right', cell: (vm) => formatNs(vm.phases.requestNs) },
  { head: 'blackout', align: 'right', cell: (vm) => style.bold(formatNs(vm.blackoutNs)) },
  { head: '= halt', align: 'right', cell: (vm) => formatNs(vm.phases.haltNs) },
  { head: '+ digest', align: 'right', cell: (vm) => formatNs(vm.phases.digestNs) },
  { head: '+ patch', align: 'right', cell: (vm) => formatNs(vm.phases.patchNs) },
  { head: '+ resume', align: 'right', cell: (vm) => formatNs(vm.phases.resumeNs) },
  { head: 'clock lag', align: 'right', cell: clockLag },
];

const memoryColumns = (style: Style): Column<VmReport>[] => [
  { head: 'VM', align: 'left', cell: (vm) => vm.name },
  { head: 'RAM', align: 'right', cell: (vm) => formatBytes(vm.ramBytes) },
  { head: 'steps', align: 'right', cell: steps },
  { head: 'digest at halt = at release', align: 'left', cell: digests },
  { head: 'memory', align: 'left', cell: (vm) => memory(vm, style) },
  { head: 'invariants', align: 'left', cell: (vm) => invariants(vm, style) },
];

function renderParagraph(vm: VmReport, style: Style): string {
  const { haltNs, digestNs, patchNs, resumeNs, requestNs } = vm.phases;
  const parts = `halt ${formatNs(haltNs)} + digest ${formatNs(digestNs)} + patch ${formatNs(patchNs)} + resume ${formatNs(resumeNs)}`;
  return [
    `${style.bold(vm.name)}  ${formatBytes(vm.ramBytes)}  ${memory(vm, style)}  invariants ${invariants(vm, style)}`,
    `  pause ${formatNs(requestNs)}, blackout ${style.bold(formatNs(vm.blackoutNs))}`,
    `  = ${parts}`,
    `  digest ${digests(vm)}`,
    `  steps ${steps(vm)}, clock lag ${clockLag(vm)}`,
  ].join('\n');
}

/** What a kind of guest does not have. */
const NONE = '–';

const steps = ({ stepsBefore }: VmReport): string => stepsBefore?.toLocaleString('en') ?? NONE;

const clockLag = ({ clockLagBeforeNs, clockLagAfterNs }: VmReport): string =>
  clockLagBeforeNs === null || clockLagAfterNs === null
    ? NONE
    : `${formatNs(clockLagBeforeNs)} → ${formatNs(clockLagAfterNs)}`;

function digests({ digestBefore, digestAfter }: VmReport): string {
  const sign = digestBefore === null || digestAfter === null ? ' ' : digestBefore === digestAfter ? '=' : '≠';
  return `${digestBefore ?? 'not taken'} ${sign} ${digestAfter ?? 'not taken'}`;
}

function memory(vm: VmReport, style: Style): string {
  if (vm.memory === 'preserved') return style.green('preserved');
  return vm.memory === 'changed' ? style.red('CHANGED') : style.yellow('unproven');
}

function invariants({ invariantsOk }: VmReport, style: Style): string {
  if (invariantsOk === null) return style.yellow('unchecked');
  return invariantsOk ? style.green('hold') : style.red('VIOLATED');
}
