import { counted, formatNs } from '../../base/units.js';
import type { PatchReport, VmReport } from '../../maintenance/report.js';
import type { Distribution, Figures } from '../figures.js';
import { type MaintenanceWindow, maintenancesOf } from '../impacts.js';
import { segmentsOf } from '../phase-segments.js';
import type { RunRecord } from '../record.js';
import { type Column, type Html, html, name, pill, section, table } from './html.js';
import { laneBar } from './timeline.js';

const MAINTENANCES_MAX = 200;
/** As many are shown open where all is well. */
const OPEN_MAX = 2;
/** The guests are shown running for this share of the axis at its end. */
const TAIL_SHARE = 0.04;

/** How long VMs stood still, and what for. */
export function freezesSection(record: RunRecord, { blackouts, budgetNs }: Figures): Html | null {
  const windows = maintenancesOf(record);
  if (blackouts.size === 0 && windows.length === 0) return null;
  const shown = windows
    .toSorted((a, b) => Number(a.outcome === 'well') - Number(b.outcome === 'well'))
    .slice(0, MAINTENANCES_MAX);
  return section(
    'freezes',
    'Blackouts',
    blackouts.size === 0 ? html`<p>No VM stood still.</p>` : percentiles(blackouts, budgetNs),
    blackouts.size === 0
      ? null
      : html`<div class="plots"><figure><figcaption>Percentiles: so many of the blackouts are at most so long</figcaption><div class="plot" data-plot="percentiles"></div></figure>
<figure><figcaption>Each blackout, when it began</figcaption><div class="plot" data-plot="blackouts"></div></figure></div>`,
    shown.map((window, index) => maintenance(window, index < OPEN_MAX || window.outcome !== 'well')),
    windows.length > shown.length ? html`<p class="dim">${windows.length - shown.length} more maintenances.</p>` : null,
  );
}

function percentiles(blackouts: Figures['blackouts'], budgetNs: number | null): Html {
  const columns: Column<[string, Distribution]>[] = [
    { head: 'cause', cell: ([cause]) => cause },
    { head: 'VMs', isNumber: true, cell: ([, { samples }]) => samples },
    { head: 'p50', isNumber: true, cell: ([, { p50Ns }]) => formatNs(p50Ns) },
    { head: 'p90', isNumber: true, cell: ([, { p90Ns }]) => formatNs(p90Ns) },
    { head: 'p99', isNumber: true, cell: ([, { p99Ns }]) => formatNs(p99Ns) },
    { head: 'longest', isNumber: true, cell: ([, { maxNs }]) => html`<strong>${formatNs(maxNs)}</strong>` },
    {
      head: 'of the budget',
      isNumber: true,
      cell: ([, { maxNs }]) => (budgetNs === null ? '–' : `${((100 * maxNs) / budgetNs).toPrecision(2)} %`),
    },
  ];
  return table('Blackouts by cause', columns, [...blackouts]);
}

function maintenance(
  { host, outcome, beganAtNs, endedAtNs, problems, report }: MaintenanceWindow,
  isOpen: boolean,
): Html {
  const vms = report?.vms ?? [];
  const longestNs = vms.reduce((longest, vm) => Math.max(longest, vm.blackoutNs), 0);
  const kind = { well: 'good', 'not well': 'bad', refused: 'odd', unfinished: 'odd' } as const;
  const summary = html`<summary><span class="title">Maintenance of ${name(host)}</span><span class="dim">${counted(vms.length, 'VM')} · longest blackout ${formatNs(longestNs)} · ${formatNs(endedAtNs - beganAtNs)} in all</span>${pill(kind[outcome], outcome)}</summary>`;
  const body = html`${problems.length === 0 ? null : html`<ul class="problems">${problems.map((problem) => html`<li>${problem}</li>`)}</ul>`}
${
  report === null
    ? null
    : html`${anatomy(report.vms)}${table(`Phases of the maintenance of ${host}`, PHASE_COLUMNS, report.vms)}
${report.patches.length === 0 ? null : table(`Patches of the maintenance of ${host}`, PATCH_COLUMNS, report.patches)}
<p class="dim">${facts(report)}</p>`
}`;
  return isOpen ? html`<details open>${summary}${body}</details>` : html`<details>${summary}${body}</details>`;
}

/** Each VM's freeze by phase, over the time of this maintenance alone. */
function anatomy(vms: readonly VmReport[]): Html | null {
  const frozen = vms.filter(({ wasRunning, rebooted }) => wasRunning && !rebooted);
  if (frozen.length === 0) return null;
  const ends = frozen.map((vm) => vm.requestedAfterNs + vm.phases.requestNs + vm.blackoutNs);
  const endNs =
    Math.max(
      1,
      ends.reduce((a, b) => Math.max(a, b)),
    ) *
    (1 + TAIL_SHARE);
  return html`<div class="lanes still">
<div class="lane axis"><span></span><div class="ticks"><span>0</span><span>${formatNs(endNs)}</span></div></div>
${frozen.map((vm) => {
  const spans = segmentsOf(vm, endNs).map(({ part, fromNs, toNs }) => ({
    kind: part,
    fromNs,
    toNs,
    title: `${vm.name}: ${part}, ${formatNs(toNs - fromNs)}`,
  }));
  const label = `${vm.name}: blackout ${formatNs(vm.blackoutNs)} by phase, as in the table below`;
  return html`<div class="lane"><span class="lane-name">${name(vm.name)}</span>${laneBar({ name: vm.name, spans, marks: [] }, 0, endNs, label)}</div>
`;
})}</div>`;
}

const PHASE_COLUMNS: readonly Column<VmReport>[] = [
  { head: 'VM', cell: (vm) => name(vm.name) },
  { head: 'request', isNumber: true, cell: (vm) => formatNs(vm.phases.requestNs) },
  { head: 'blackout', isNumber: true, cell: (vm) => html`<strong>${formatNs(vm.blackoutNs)}</strong>` },
  { head: '= halt', isNumber: true, cell: (vm) => formatNs(vm.phases.haltNs) },
  { head: '+ digest', isNumber: true, cell: (vm) => formatNs(vm.phases.digestNs) },
  { head: '+ patch', isNumber: true, cell: (vm) => formatNs(vm.phases.patchNs) },
  { head: '+ resume', isNumber: true, cell: (vm) => formatNs(vm.phases.resumeNs) },
  { head: 'then sync', isNumber: true, cell: (vm) => formatNs(vm.phases.syncNs) },
  { head: 'invariants', cell: invariants },
];

function invariants({ invariantsOk, violation }: VmReport): Html {
  if (invariantsOk === null) return pill('plain', 'unchecked');
  return invariantsOk ? pill('good', 'hold') : html`${pill('bad', 'violated')} ${violation ?? ''}`;
}

const PATCH_COLUMNS: readonly Column<PatchReport>[] = [
  { head: 'patch', cell: (patch) => name(patch.name) },
  { head: 'kind', cell: ({ kind }) => kind },
  {
    head: 'component',
    cell: ({ component }) =>
      component === null ? '–' : html`${name(component.name)} ${component.from} → ${component.to}`,
  },
  { head: 'time', isNumber: true, cell: ({ durationNs }) => formatNs(durationNs) },
  {
    head: 'outcome',
    cell: ({ ok, status, error }) => html`${pill(ok ? 'good' : 'bad', status)} ${error?.message ?? ''}`,
  },
];

function facts({
  impact,
  budgetMs,
  budgetKept,
  resumedBy,
  proof,
  notice,
  update,
}: NonNullable<MaintenanceWindow['report']>): string {
  const told = notice === null ? [] : [`VMs were told ${formatNs(notice.waitedNs)} before, ended by ${notice.dueBy}`];
  const staged =
    update === null
      ? []
      : [
          `components ${update.outcome}, staged in ${formatNs(update.stagingNs)} ${update.stagedInFreeze ? 'inside' : 'before'} the freeze`,
        ];
  return [
    `impact ${impact}`,
    `budget ${formatNs(budgetMs * 1e6)} ${budgetKept ? 'kept' : 'not kept'}`,
    `released by ${resumedBy === 'deadline' ? 'the deadline' : 'the operation'}`,
    `proof ${proof}`,
    ...told,
    ...staged,
  ].join(' · ');
}
