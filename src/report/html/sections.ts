import { formatBytes, formatNs } from '../../base/units.js';
import type { ProbeSummary } from '../../probe/summary.js';
import type { ProcessFreezeReport } from '../../process/freeze-run.js';
import { type Figures, percent, problemsOf } from '../figures.js';
import type { ExpectationResult, RunRecord } from '../record.js';
import { type Column, type Html, type HtmlPart, html, name, pill, section, table } from './html.js';

const PROBLEMS_MAX = 100;
const LOG_ROWS_MAX = 500;
const KINDS = { passed: 'good', failed: 'bad', aborted: 'odd' } as const;

export function titleBlock({ name: title, result, startedAt, seed, durationNs, machine }: RunRecord): Html {
  const facts = [
    html`<time datetime="${startedAt}">${startedAt.replace('T', ' ').replace(/\.\d+/, '').replace('Z', ' UTC')}</time>`,
    `${formatNs(durationNs)} in all`,
    ...(seed === null ? [] : [html`seed <code>${seed}</code>`]),
    `${machine.cores} cores, Linux ${machine.kernel}`,
  ];
  return html`<header><div><p class="brand">Standstill report</p><h1>${name(title)}</h1><p class="facts">${facts.map((fact) => html`<span>${fact}</span>`)}</p></div>
<p class="result ${KINDS[result]}">${{ passed: '✓ Passed', failed: '✗ Failed', aborted: '! Aborted' }[result]}</p></header>`;
}

/** The figures that a reader asks for first. */
export function cards({ expectations }: RunRecord, figures: Figures): Html {
  const { blackout, budgetNs, memories, preserved, clockLagAfterNs, availability } = figures;
  const held = expectations.filter(({ ok }) => ok).length;
  return html`<ul class="cards" aria-label="Key figures">
${blackout === null ? null : card('Longest blackout', formatNs(blackout.maxNs), budgetNs === null ? '' : `of a budget of ${formatNs(budgetNs)}`, budgetNs === null || blackout.maxNs <= budgetNs)}
${memories === 0 ? null : card('Memory preserved', `${preserved} of ${memories}`, 'proved by digests over the freezes', preserved === memories)}
${clockLagAfterNs === null ? null : card('Clock lag', formatNs(clockLagAfterNs), 'at most, after the synchronisation', null)}
${availability === null ? null : card('Availability', percent(availability), 'of answers well meanwhile, of the worst probe', null)}
${expectations.length === 0 ? null : card('Expectations', `${held} of ${expectations.length}`, 'hold', held === expectations.length)}
</ul>`;
}

const card = (title: string, figure: string, note: string, ok: boolean | null): Html =>
  html`<li class="card ${ok === false ? 'bad' : ''}"><span class="dim">${title}</span><strong>${figure}</strong><span class="dim">${note}</span></li>`;

export function problemsSection(record: RunRecord): Html | null {
  const problems = problemsOf(record);
  if (problems.length === 0) return null;
  const hidden = problems.length - PROBLEMS_MAX;
  return section(
    'problems',
    'What went wrong',
    html`<ul class="problems">${problems.slice(0, PROBLEMS_MAX).map((problem) => html`<li>${problem}</li>`)}</ul>`,
    hidden > 0 ? html`<p class="dim">and ${hidden} more</p>` : null,
  );
}

export function expectationsSection({ expectations }: RunRecord): Html | null {
  if (expectations.length === 0) return null;
  const columns: Column<ExpectationResult>[] = [
    { head: 'expected', cell: ({ text }) => html`<code>${text}</code>` },
    { head: '', cell: ({ ok }) => pill(ok ? 'good' : 'bad', ok ? 'holds' : 'does not hold') },
    {
      head: 'observed',
      cell: ({ observed, detail }) =>
        html`${observed}${detail.length === 0 ? null : html`<ul>${detail.map((line) => html`<li>${line}</li>`)}</ul>`}`,
    },
  ];
  return section('expectations', 'Expectations', table('Expectations', columns, expectations));
}

export function probesSection({ probes }: RunRecord): Html | null {
  if (probes.length === 0) return null;
  const share = (of: ProbeSummary['during']): HtmlPart =>
    of.okShare === null ? '–' : html`${percent(of.okShare)} <span class="dim">of ${of.asked}</span>`;
  const columns: Column<ProbeSummary>[] = [
    {
      head: 'probe',
      cell: (probe) => html`${name(probe.name)} <span class="dim">${probe.kind}, ${probe.target}</span>`,
    },
    { head: '', cell: ({ ok }) => pill(ok ? 'good' : 'bad', ok ? 'well' : 'not well') },
    { head: 'before', isNumber: true, cell: ({ before }) => share(before) },
    { head: 'during', isNumber: true, cell: ({ during }) => share(during) },
    { head: 'after', isNumber: true, cell: ({ after }) => share(after) },
    {
      head: 'longest outage',
      isNumber: true,
      cell: ({ longestOutageNs }) => (longestOutageNs === null ? '–' : formatNs(longestOutageNs)),
    },
    ...(['p50Ns', 'p99Ns', 'maxNs'] as const).map((key) => ({
      head: { p50Ns: 'p50', p99Ns: 'p99', maxNs: 'longest' }[key],
      isNumber: true,
      cell: ({ total }: ProbeSummary) => (total.latency === null ? '–' : formatNs(total.latency[key])),
    })),
  ];
  return section(
    'probes',
    'Probes',
    table('Probes', columns, probes),
    html`<div class="plots wide"><figure><figcaption>Latency of each answer, when it was asked for; × is an answer that is not well, bands are freezes</figcaption><div class="plot" data-plot="probes"></div></figure></div>`,
  );
}

export function rolloutSection({ rollouts }: RunRecord): Html | null {
  if (rollouts.length === 0) return null;
  const columns: Column<RunRecord['rollouts'][number]['domains'][number]>[] = [
    { head: 'update domain', cell: ({ updateDomain }) => updateDomain },
    { head: 'direction', cell: ({ direction }) => (direction === 'forward' ? 'patched' : 'taken back') },
    { head: 'hosts', cell: ({ hosts }) => name(hosts.join(', ')) },
    { head: 'time', isNumber: true, cell: ({ durationNs }) => (durationNs === null ? '–' : formatNs(durationNs)) },
    {
      head: 'health',
      cell: ({ ok }) => (ok === null ? pill('odd', 'not over') : pill(ok ? 'good' : 'bad', ok ? 'well' : 'not well')),
    },
  ];
  return section(
    'rollouts',
    'Rollout',
    rollouts.map(({ rollout, ok, status, domains, invariants, durationNs }) => {
      const proof =
        invariants === null
          ? 'the log has lost its begin, so that nothing is proved of the update domains'
          : `at most one update domain at a time ${invariants.ok ? 'was' : 'was NOT'} impacted: ${invariants.impacts} impacts, ${invariants.instants} instants looked at`;
      return html`<p>${pill(ok ? 'good' : 'bad', status)} in ${formatNs(durationNs)}; ${proof}.</p>
${table(`Update domains of rollout ${rollout}`, columns, domains)}`;
    }),
  );
}

export function processesSection({ processes }: RunRecord): Html | null {
  if (processes.length === 0) return null;
  const columns: Column<readonly [number, ProcessFreezeReport]>[] = [
    { head: 'freeze', cell: ([index]) => index + 1 },
    { head: 'halting', isNumber: true, cell: ([, { haltNs }]) => formatNs(haltNs) },
    { head: 'blackout', isNumber: true, cell: ([, { blackoutNs }]) => html`<strong>${formatNs(blackoutNs)}</strong>` },
    { head: 'running after', isNumber: true, cell: ([, { resumeNs }]) => formatNs(resumeNs) },
    {
      head: 'digests',
      isNumber: true,
      cell: ([, freeze]) => formatNs(freeze.digestAtHaltNs + freeze.digestAtReleaseNs),
    },
    { head: 'read', isNumber: true, cell: ([, { bytesRead }]) => formatBytes(bytesRead) },
    {
      head: 'memory',
      cell: ([, { memory, difference }]) =>
        html`${pill(({ preserved: 'good', changed: 'bad', unproven: 'odd' } as const)[memory], memory)}${difference === null ? null : html` <code>${difference.address ?? `process ${difference.pid}`}</code> ${difference.detail}`}`,
    },
  ];
  return section(
    'processes',
    'Real programs',
    processes.map(
      ({ vm, freezer, clocks, freezes, log }) => html`<h3>${name(vm)}</h3>
<p class="dim">frozen by ${freezer.kind}: ${freezer.why}. ${clocks.summary}</p>
${table(`Freezes of ${vm}`, columns, [...freezes.entries()].slice(0, LOG_ROWS_MAX))}
${log.length === 0 ? null : html`<details><summary><span class="title">The end of what it wrote</span></summary><pre tabindex="0" role="region" aria-label="Output of ${vm}">${log.map(({ text }) => `${text}\n`)}</pre></details>`}`,
    ),
  );
}

/** Everything but the answers of probes, which are drawn. */
export function logSection({ log }: RunRecord): Html | null {
  const entries = log.filter(({ type }) => type !== 'probe');
  if (entries.length === 0) return null;
  const beganAtNs = log[0]?.atNs ?? 0;
  const columns: Column<(typeof entries)[number]>[] = [
    { head: 'at', isNumber: true, cell: ({ atNs }) => `${((atNs - beganAtNs) / 1e9).toFixed(6)} s` },
    { head: 'what', cell: ({ type }) => type },
    {
      head: 'of',
      cell: (entry) =>
        name([...('host' in entry ? [entry.host] : []), ...('vm' in entry ? [entry.vm] : [])].join(' · ')),
    },
    { head: 'more', cell: (entry) => html`<code>${moreOf(entry)}</code>` },
  ];
  const hidden = entries.length - LOG_ROWS_MAX;
  return section(
    'log',
    'Event log',
    html`<details><summary><span class="title">${Math.min(entries.length, LOG_ROWS_MAX)} ${hidden > 0 ? `of ${entries.length} ` : ''}entries</span></summary>${table('Event log', columns, entries.slice(0, LOG_ROWS_MAX))}${hidden > 0 ? html`<p class="dim">The rest is in the JSON report.</p>` : null}</details>`,
  );
}

const MORE_CHARACTERS_MAX = 200;

function moreOf(entry: RunRecord['log'][number]): string {
  const { seq: _, atNs: _at, wallTimeMs: _wall, type: _type, ...rest } = entry;
  const more = Object.entries(rest).filter(([key]) => key !== 'host' && key !== 'vm');
  const text = more.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(' ');
  return text.length <= MORE_CHARACTERS_MAX ? text : `${text.slice(0, MORE_CHARACTERS_MAX)}…`;
}

export function machineSection({ machine, standstill, seed }: RunRecord): Html {
  const facts: [string, string][] = [
    ['processor', machine.cpuModel],
    ['cores', String(machine.cores)],
    ['memory', formatBytes(machine.memoryBytes)],
    ['kernel', `Linux ${machine.kernel}, ${machine.architecture}`],
    ['Node.js', machine.node],
    ['Standstill', standstill],
    ['seed', seed === null ? 'none' : String(seed)],
  ];
  return section(
    'machine',
    'Machine',
    html`<dl>${facts.map(([term, value]) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>`,
  );
}
