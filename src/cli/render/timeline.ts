import { formatNs } from '../../base/units.js';
import type { MaintenanceReport, PatchReport } from '../../maintenance/report.js';
import { type Part, type Segment, segmentsOf } from '../../report/phase-segments.js';
import type { Style, Terminal } from '../terminal.js';

const GLYPHS: Readonly<Record<Part, string>> = { running: '─', halt: '░', digest: '█', patch: '▒', resume: '░' };
const LABEL_COLUMNS_MAX = 18;
const BAR_COLUMNS_MIN = 20;
const BAR_COLUMNS_MAX = 72;
/** The guests are shown running for this share of the axis at its end. */
const TAIL_SHARE = 0.04;

/** One row for each VM and each patch, over one axis of time. */
export function renderTimeline(report: MaintenanceReport, { style, columns }: Terminal): string {
  const ran = report.patches.filter((patch) => patch.startedAfterNs !== null);
  const names = [...report.vms, ...ran].map((row) => row.name.length);
  const labelColumns = Math.min(LABEL_COLUMNS_MAX, Math.max(...names));
  const barColumns = Math.min(BAR_COLUMNS_MAX, Math.max(BAR_COLUMNS_MIN, columns - labelColumns - 3));
  const endNs = axisEndNs(report);
  const row = (name: string, bar: string) => `${name.slice(0, labelColumns).padEnd(labelColumns)}  ${bar}`;
  return [
    `${style.bold('Timeline')}  ${legend(style)}`,
    row('', style.dim(axis(endNs, barColumns))),
    ...report.vms.map((vm) => row(vm.name, paint(segmentsOf(vm, endNs), endNs, barColumns, style))),
    ...ran.map((patch) => row(patch.name, patchBar(patch, endNs, barColumns, style))),
  ].join('\n');
}

/** The longest VM's freeze with a short tail in which it runs again. */
function axisEndNs({ vms }: MaintenanceReport): number {
  const ends = vms.map((vm) => vm.requestedAfterNs + vm.phases.requestNs + vm.blackoutNs);
  return Math.max(1, ...ends) * (1 + TAIL_SHARE);
}

/** Each column takes the part that covers its middle. */
function paint(segments: readonly Segment[], endNs: number, columns: number, style: Style): string {
  const colors = colorsOf(style);
  let bar = '';
  for (let column = 0; column < columns; column += 1) {
    const atNs = ((column + 0.5) / columns) * endNs;
    const part = segments.find((segment) => atNs >= segment.fromNs && atNs < segment.toNs)?.part;
    bar += part === undefined ? ' ' : colors[part](GLYPHS[part]);
  }
  return bar;
}

function patchBar(patch: PatchReport, endNs: number, columns: number, style: Style): string {
  const column = (atNs: number) => Math.min(columns, Math.floor((atNs / endNs) * columns));
  const from = Math.min(columns - 1, column(patch.startedAfterNs ?? 0));
  const to = Math.max(from + 1, column((patch.startedAfterNs ?? 0) + patch.durationNs));
  const color = patch.ok ? style.cyan : style.red;
  const duration = ` ${formatNs(patch.durationNs)}`;
  const bar = color('━'.repeat(to - from));
  if (to + duration.length <= columns) return ' '.repeat(from) + bar + style.dim(duration);
  // Before the bar where there is no room behind it.
  const before = from > duration.length ? `${formatNs(patch.durationNs)} ` : '';
  return ' '.repeat(from - before.length) + style.dim(before) + bar;
}

function axis(endNs: number, columns: number): string {
  const label = formatNs(endNs);
  return `0${' '.repeat(Math.max(1, columns - 1 - label.length))}${label}`;
}

function colorsOf(style: Style): Readonly<Record<Part, (text: string) => string>> {
  return { running: style.green, halt: style.yellow, digest: style.blue, patch: style.cyan, resume: style.yellow };
}

function legend(style: Style): string {
  const colors = colorsOf(style);
  const entries: [Part, string][] = [
    ['running', 'running'],
    ['digest', 'digest'],
    ['patch', 'patching'],
    ['halt', 'halting, resuming'],
  ];
  return entries.map(([part, name]) => `${colors[part](GLYPHS[part].repeat(2))} ${style.dim(name)}`).join('  ');
}
