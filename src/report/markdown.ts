import { escapeMarkdown } from '../base/markdown.js';
import { formatNs } from '../base/units.js';
import { clockLag, describeChange, type Figures, figuresOf, percent, problemsOf } from './figures.js';
import type { RunRecord } from './record.js';

/** A job summary holds 1 MiB; of thousands of VMs those that are not well come first. */
const ROWS_MAX = 100;
const MARKS = { passed: '✅', failed: '❌', aborted: '⚠️' } as const;

/** The run as GitHub-flavoured markdown, for a job summary or a comment. */
export function renderMarkdown(record: RunRecord): string {
  const figures = figuresOf(record);
  const problems = problemsOf(record);
  const sections = [
    [`## ${MARKS[record.result]} ${escapeMarkdown(record.name)}: ${record.result}`],
    [escapeMarkdown(headline(record, figures))],
    expectations(record),
    problems.length === 0 ? [] : list('What went wrong', problems),
    blackouts(figures),
    memory(figures),
    probes(record),
    [`Standstill ${record.standstill}, ${record.startedAt}, ${escapeMarkdown(record.machine.cpuModel)}.`],
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** The run in a sentence or two. */
export function headline({ durationNs, seed }: RunRecord, figures: Figures): string {
  const { blackout, budgetNs, memories, preserved, clockLagAfterNs, availability } = figures;
  const budget = budgetNs === null ? '' : ` of a budget of ${formatNs(budgetNs)}`;
  const parts = [
    `${formatNs(durationNs)} in all`,
    ...(seed === null ? [] : [`seed ${seed}`]),
    ...(blackout === null ? [] : [`longest blackout ${formatNs(blackout.maxNs)}${budget}`]),
    ...(memories === 0 ? [] : [`memory preserved in ${preserved} of ${memories}`]),
    ...(clockLagAfterNs === null ? [] : [`clocks within ${formatNs(clockLagAfterNs)}`]),
    ...(availability === null ? [] : [`${percent(availability)} of answers well meanwhile`]),
  ];
  return `${parts.join(' · ')}.`;
}

function expectations({ expectations: all }: RunRecord): string[] {
  if (all.length === 0) return [];
  return table(
    ['', 'expected', 'observed', ''],
    all.map(({ text, ok, observed, detail }) => [ok ? '✅' : '❌', text, observed, detail.join('; ')]),
  );
}

function blackouts({ blackouts: byCause }: Figures): string[] {
  if (byCause.size === 0) return [];
  return table(
    ['blackout by', 'n', 'p50', 'p90', 'p99', 'longest'],
    [...byCause].map(([cause, { samples, p50Ns, p90Ns, p99Ns, maxNs }]) => [
      cause,
      String(samples),
      ...[p50Ns, p90Ns, p99Ns, maxNs].map(formatNs),
    ]),
  );
}

function memory({ vms }: Figures): string[] {
  const rows = vms.toSorted((a, b) => severity(a.vm.memory) - severity(b.vm.memory));
  const hidden = rows.length - ROWS_MAX;
  if (rows.length === 0) return [];
  return [
    ...table(
      ['host', 'VM', 'blackout', 'memory', 'clock lag'],
      rows
        .slice(0, ROWS_MAX)
        .map(({ host, vm }) => [
          host,
          vm.name,
          formatNs(vm.blackoutNs),
          [vm.memory, describeChange(vm)].filter((part) => part !== '').join(': '),
          clockLag(vm),
        ]),
    ),
    ...(hidden > 0 ? ['', `${hidden} more VMs are in the HTML and JSON reports.`] : []),
  ];
}

const severity = (verdict: string): number => ['changed', 'lost', 'unproven', 'preserved'].indexOf(verdict);

function probes({ probes: all }: RunRecord): string[] {
  if (all.length === 0) return [];
  const share = (value: number | null) => (value === null ? '–' : percent(value));
  return table(
    ['', 'probe', 'before', 'during', 'after', 'longest outage'],
    all.map(({ ok, name, before, during, after, longestOutageNs }) => [
      ok ? '✅' : '❌',
      name,
      ...[before, during, after].map(({ okShare }) => share(okShare)),
      longestOutageNs === null ? '–' : formatNs(longestOutageNs),
    ]),
  );
}

const list = (title: string, lines: readonly string[]): string[] => {
  const hidden = lines.length - ROWS_MAX;
  return [
    `### ${title}`,
    '',
    ...lines.slice(0, ROWS_MAX).map((line) => `- ${escapeMarkdown(line)}`),
    ...(hidden > 0 ? [`- and ${hidden} more`] : []),
  ];
};

const row = (cells: readonly string[]): string => `| ${cells.map(escapeMarkdown).join(' | ')} |`;

const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string[] => [
  row(heads),
  `| ${heads.map(() => '---').join(' | ')} |`,
  ...rows.map(row),
];
