import { formatBytes, formatNs } from '../../base/units.js';
import type { VmReport } from '../../maintenance/report.js';
import {
  clockLag,
  clocksOf,
  describeChange,
  type Figures,
  hex,
  type MaintainedVm,
  type SynchronisedClock,
} from '../figures.js';
import { type Column, type Html, html, name, pill, section, table } from './html.js';

const ROWS_MAX = 300;
const VERDICT_KINDS = { preserved: 'good', changed: 'bad', unproven: 'odd', lost: 'odd' } as const;
const SEVERITY = ['changed', 'lost', 'unproven', 'preserved'];

/** What became of each VM's memory, with where in it something changed. */
export function memorySection({ vms }: Figures): Html | null {
  if (vms.length === 0) return null;
  const rows = vms.toSorted((a, b) => SEVERITY.indexOf(a.vm.memory) - SEVERITY.indexOf(b.vm.memory));
  const hidden = rows.length - ROWS_MAX;
  return section(
    'memory',
    'Memory',
    html`<ul class="legend" aria-label="Colours of the maps">${(['read', 'unread', 'changed'] as const).map(
      (part) =>
        html`<li><svg class="swatch" width="16" height="12" aria-hidden="true"><rect class="r-${part}" width="16" height="12"/></svg>${{ read: 'read and compared', unread: 'not compared', changed: 'changed' }[part]}</li>`,
    )}</ul>`,
    table('Memory by VM', COLUMNS, rows.slice(0, ROWS_MAX)),
    hidden > 0 ? html`<p class="dim">${hidden} more, all of them ${rows.at(-1)?.vm.memory ?? ''}.</p>` : null,
  );
}

const COLUMNS: readonly Column<MaintainedVm>[] = [
  { head: 'VM', cell: ({ vm, host }) => html`${name(vm.name)} <span class="dim">${name(host)}</span>` },
  {
    head: 'memory',
    cell: ({ vm }) => html`${pill(VERDICT_KINDS[vm.memory], vm.memory)} ${describeChange(vm)}${changedBytes(vm)}`,
  },
  { head: 'map', cell: ({ vm }) => ramMap(vm) },
  { head: 'compared', isNumber: true, cell: ({ vm }) => `${formatBytes(vm.bytesRead)} of ${formatBytes(vm.ramBytes)}` },
  { head: 'digest at halt', cell: ({ vm }) => html`<code>${vm.digestBefore ?? 'not taken'}</code>` },
  {
    head: 'at release',
    cell: ({ vm }) =>
      html`${vm.digestBefore === vm.digestAfter ? '= ' : '≠ '}<code>${vm.digestAfter ?? 'not taken'}</code>`,
  },
  { head: 'steps', isNumber: true, cell: ({ vm }) => vm.stepsBefore?.toLocaleString('en') ?? '–' },
];

/** The bytes around the first that differs, where they were kept. */
function changedBytes({ changedPages }: VmReport): Html | null {
  const bytes = changedPages?.bytes ?? null;
  if (bytes === null) return null;
  const rows = (digits: string) => digits.match(/.{1,32}/g)?.map((row) => `${row.match(/../g)?.join(' ')}\n`) ?? [];
  return html`<details><summary>bytes from ${hex(bytes.gpa)}</summary><pre tabindex="0" role="region" aria-label="Bytes that changed">at halt
${rows(bytes.atHalt)}at release
${rows(bytes.atRelease)}</pre></details>`;
}

/** RAM from its first address to its last: what was compared of it, and the first page that changed. */
function ramMap(vm: VmReport): Html {
  const { memory, ramBytes, bytesRead, changedPages } = vm;
  const part = bytesRead === 0 || memory === 'lost' ? 'unread' : bytesRead < ramBytes ? 'sampled' : 'read';
  const at = changedPages === null ? null : ((100 * changedPages.firstGpa) / Math.max(1, ramBytes)).toFixed(3);
  const change = at === null ? '' : `, first change at ${hex(changedPages?.firstGpa ?? 0)}`;
  const label = `${formatBytes(ramBytes)} of RAM, ${formatBytes(bytesRead)} compared${change}`;
  return html`<svg class="ram" width="180" height="18" role="img" aria-label="${label}"><title>${label}</title><rect class="r-${part}" width="100%" height="12" y="3"/>${
    at === null ? null : html`<svg x="${at}%" class="change"><path class="r-changed" d="M-1 0h3v18h-3z"/></svg>`
  }</svg>`;
}

/** How far the guests' clocks were off, before and after they were synchronised, and what the guests saw of it. */
export function clocksSection({ vms }: Figures): Html | null {
  const synchronised = clocksOf(vms);
  if (synchronised.length === 0) return null;
  const columns: Column<SynchronisedClock>[] = [
    { head: 'VM', cell: ({ vm, host }) => html`${name(vm.name)} <span class="dim">${name(host)}</span>` },
    { head: 'lag, before → after', isNumber: true, cell: ({ vm }) => clockLag(vm) },
    {
      head: 'read within',
      isNumber: true,
      cell: ({ vm }) => (vm.clockBracketNs === null ? '–' : formatNs(vm.clockBracketNs)),
    },
    { head: 'by', cell: ({ vm }) => vm.syncedBy },
    { head: '', cell: ({ vm }) => (vm.clockOff ? pill('bad', 'off') : null) },
    {
      head: 'gap that its guest saw',
      isNumber: true,
      cell: ({ vm }) => (vm.ticker === null ? '–' : formatNs(vm.ticker.guestGapMaxNs)),
    },
    {
      head: 'in truth',
      isNumber: true,
      cell: ({ vm }) => (vm.ticker === null ? '–' : formatNs(vm.ticker.trueGapMaxNs)),
    },
    {
      head: 'step of its wall clock',
      isNumber: true,
      cell: ({ vm }) => (vm.ticker === null ? '–' : formatNs(vm.ticker.wallJumpMaxNs)),
    },
  ];
  return section(
    'clocks',
    'Clocks',
    html`<div class="plots wide"><figure><figcaption>Lag of each guest's wall clock behind its host's, before (○) and after (●) the synchronisation</figcaption><div class="plot" data-plot="clocks"></div></figure></div>`,
    table('Clocks by VM', columns, synchronised.slice(0, ROWS_MAX)),
  );
}
