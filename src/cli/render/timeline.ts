import { formatNs } from '../../base/units.js';
import type { MaintenanceReport, PatchReport, VmReport } from '../../maintenance/report.js';
import type { Style, Terminal } from '../terminal.js';

type Part = 'running' | 'halt' | 'digest' | 'patch' | 'resume';

/** A stretch of a row, in nanoseconds from the freeze's first request. */
export interface Segment {
  readonly part: Part;
  readonly fromNs: number;
  readonly toNs: number;
}

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

/**
 * A VM's row. The report has the digests' time in one figure: where both are in the freeze they read the same bytes, so
 * that each is drawn as half; a deferred proof's closing one is behind the running guest.
 */
export function segmentsOf(vm: VmReport, endNs: number): Segment[] {
  if (!vm.wasRunning) return [];
  const { requestNs, haltNs, digestNs, patchNs, resumeNs } = vm.phases;
  const hasDigests = vm.proof !== 'none';
  const opening = vm.digestAfter === null || vm.proof === 'deferred' ? digestNs : digestNs / 2;
  const lengths: [Part, number][] = [
    ['running', vm.requestedAfterNs + requestNs],
    ['halt', haltNs],
    ['digest', hasDigests ? opening : 0],
    ['patch', patchNs],
    ['digest', hasDigests ? digestNs - opening : 0],
    ['resume', resumeNs],
    ['running', Number.POSITIVE_INFINITY],
  ];
  let atNs = 0;
  return lengths.map(([part, lengthNs]) => {
    const fromNs = atNs;
    atNs = Math.min(endNs, atNs + lengthNs);
    return { part, fromNs, toNs: atNs };
  });
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
  const bar = ' '.repeat(from) + color('━'.repeat(to - from));
  return to + duration.length <= columns ? bar + style.dim(duration) : bar;
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
