import { formatNs, NS_PER_MS } from '../../base/units.js';
import type { Fleet } from '../../fleet/fleet.js';
import type { HostPlace, VmPlace } from '../../fleet/placement.js';
import type { RolloutStep } from '../../fleet/rollout-plan.js';
import type { DomainReport, RolloutReport } from '../../fleet/rollout-report.js';
import { type Column, renderTable } from '../render/table.js';
import type { Style, Terminal } from '../terminal.js';
import type { HostPlan } from './plan.js';

const VM_NAMES_COLUMNS_MAX = 60;

/** Where the hosts and VMs are, and in which order the domains are to be taken. */
export interface Placement {
  readonly hosts: readonly HostPlace[];
  readonly vms: readonly VmPlace[];
  readonly steps: readonly RolloutStep[];
}

export function renderPlacement({ hosts, vms, steps }: Placement, { style }: Terminal): string {
  const columns: Column<HostPlace>[] = [
    { head: 'host', align: 'left', cell: ({ host }) => host },
    { head: 'update domain', align: 'right', cell: ({ updateDomain }) => String(updateDomain) },
    { head: 'fault domain', align: 'right', cell: ({ faultDomain }) => String(faultDomain) },
    { head: 'VMs', align: 'left', cell: ({ host }) => vmNames(vms, host) },
  ];
  const order = steps.map(({ updateDomain }) => updateDomain).join(' → ');
  return [
    style.bold('Placement'),
    renderTable(columns, hosts, style),
    '',
    `${style.bold('Order of the update domains')}  ${order}`,
  ].join('\n');
}

/** What each host's maintenance would be, and what keeps it from being done. */
export function renderPlans(plans: readonly HostPlan[], { style }: Terminal): string {
  const columns: Column<HostPlan>[] = [
    { head: 'host', align: 'left', cell: ({ host }) => host },
    { head: 'update domain', align: 'right', cell: ({ updateDomain }) => String(updateDomain) },
    { head: 'impact', align: 'left', cell: ({ maintenance }) => maintenance.impact },
    {
      head: 'expected blackout',
      align: 'right',
      // Of a module nobody knows it.
      cell: ({ maintenance: { patches, expectedBlackoutMs } }) =>
        patches.some(({ kind }) => kind === 'module') ? '–' : formatNs(expectedBlackoutMs * NS_PER_MS),
    },
    {
      head: 'patches',
      align: 'left',
      cell: ({ maintenance }) => maintenance.patches.map(({ name }) => name).join(' '),
    },
    {
      head: '',
      align: 'left',
      cell: ({ maintenance }) => (maintenance.qualifies ? style.green('applies') : style.red('refused')),
    },
  ];
  const refusals = plans.flatMap(({ host, maintenance }) =>
    maintenance.patches.flatMap(({ name, refusals: all }) =>
      all.map(({ message, reason }) => `  ${style.red('•')} ${host}, ${name}: ${message} ${style.dim(reason)}`),
    ),
  );
  return [style.bold('Maintenances, in their order'), renderTable(columns, plans, style), ...refusals].join('\n');
}

export function renderRollout(report: RolloutReport, { style }: Terminal): string {
  const vmsOf = (domain: DomainReport) => report.vms.filter(({ host }) => domain.hosts.includes(host));
  const longest = (domain: DomainReport) => Math.max(0, ...vmsOf(domain).map(({ blackoutNs }) => blackoutNs ?? 0));
  const columns: Column<DomainReport>[] = [
    { head: 'update domain', align: 'right', cell: ({ updateDomain }) => String(updateDomain) },
    { head: '', align: 'left', cell: ({ direction }) => (direction === 'forward' ? 'patched' : 'taken back') },
    { head: 'hosts', align: 'right', cell: ({ hosts }) => String(hosts.length) },
    { head: 'VMs', align: 'right', cell: (domain) => String(vmsOf(domain).length) },
    { head: 'time', align: 'right', cell: ({ durationNs }) => (durationNs === null ? '' : formatNs(durationNs)) },
    { head: 'longest blackout', align: 'right', cell: (domain) => formatNs(longest(domain)) },
    { head: 'health', align: 'left', cell: ({ ok }) => health(ok, style) },
  ];
  return [style.bold('Rollout'), renderTable(columns, report.domains, style), '', renderVerdict(report, style)].join(
    '\n',
  );
}

/** Whether all is well, in one sentence, and what is not. */
export function renderVerdict(report: RolloutReport, style: Style): string {
  const { blackout, invariants, problems, hosts } = report;
  const patched = hosts.filter(({ applied }) => applied === 'yes').length;
  const sign = report.ok ? style.green('✔') : style.red('✘');
  const lines = [`${sign} ${style.bold(statusText(report))}: ${patched} of ${hosts.length} hosts are patched`];
  if (blackout !== null) {
    const { p50Ns, p99Ns, maxNs, samples } = blackout;
    const figures = `p50 ${formatNs(p50Ns)}, p99 ${formatNs(p99Ns)}, longest ${formatNs(maxNs)}`;
    lines.push(`  blackout of ${samples} maintenances of VMs: ${figures}; ${formatNs(report.durationNs)} in all`);
  }
  if (invariants?.ok) {
    const { impacts, instants } = invariants;
    lines.push(
      `  at most one update domain of each set was impacted: ${impacts} impacts, ${instants} instants looked at`,
    );
  }
  return [...lines, ...problems.map((problem) => `  ${style.red('•')} ${problem}`)].join('\n');
}

function statusText({ status, stoppedBy, direction }: RolloutReport): string {
  if (status === 'done') return 'Rolled out';
  if (status === 'rolled-back') return 'Rolled back';
  if (status === 'abandoned') return 'Given up';
  const what = direction === 'forward' ? 'The rollout' : 'The rollback';
  const why = {
    failure: 'has stopped at a failure',
    aborted: 'was interrupted',
    'in-doubt': 'does not know how far it is',
  };
  return `${what} ${stoppedBy === null ? 'is under way' : why[stoppedBy]}`;
}

function health(ok: boolean | null, style: Style): string {
  if (ok === null) return style.yellow('not over');
  return ok ? style.green('well') : style.red('NOT WELL');
}

function vmNames(vms: readonly VmPlace[], host: string): string {
  const names = vms.filter((vm) => vm.host === host).map(({ vm }) => vm);
  const text = names.join(' ');
  if (text.length <= VM_NAMES_COLUMNS_MAX) return text;
  return `${text.slice(0, VM_NAMES_COLUMNS_MAX)}… (${names.length})`;
}

/** Of a fleet that is there. */
export const placementOf = (fleet: Fleet, steps: readonly RolloutStep[]): Placement => ({
  hosts: fleet.hostPlaces,
  vms: fleet.placement,
  steps,
});
