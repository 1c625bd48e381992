import { escapeMarkdown } from '../../base/markdown.js';
import { formatShare, formatValue } from '../units.js';
import type { GateReport, MetricVerdict, Verdict } from '../verdict.js';

export const VERDICT_TITLES: Readonly<Record<Verdict, string>> = {
  pass: 'Pass',
  regression: 'Regression',
  improvement: 'Improvement',
  undecided: 'Undecided',
};
const MARKS: Readonly<Record<Verdict, string>> = { pass: '✅', regression: '❌', improvement: '🚀', undecided: '❔' };

/** Of thousands of metrics, those that matter; a job summary holds 1 MiB. */
const ROWS_MAX = 200;
const SEVERITY: readonly Verdict[] = ['regression', 'undecided', 'improvement', 'pass'];

/** Regressions first, then what is open, then the others; each in the result's order. */
export const bySeverity = (metrics: readonly MetricVerdict[]): MetricVerdict[] =>
  metrics.toSorted((a, b) => SEVERITY.indexOf(a.verdict) - SEVERITY.indexOf(b.verdict));

/** How the verdict came about, in a sentence. */
export function methodOf({ method, plan, base, head }: GateReport): string {
  if (method === 'budget') return `Budgets of ${base} held against ${head}.`;
  if (plan === null) {
    return 'Threshold verdict: the two were not run interleaved, so that a change of the machine between them counts as theirs; no error rate is promised.';
  }
  const error = `${plan.errorRate * 100} %`;
  return `Permutation test over ${plan.pairs} interleaved pairs of runs in ${plan.rounds} of ${plan.roundsMax} rounds, seed ${plan.seed}; at most ${error} of comparisons of equals end other than pass or undecided.`;
}

export const figure = (value: number | null, unit: string): string => (value === null ? '–' : formatValue(value, unit));

/** The report as GitHub-flavoured markdown, for a job summary or a comment. */
export function renderMarkdown(report: GateReport): string {
  const rows = bySeverity(report.metrics);
  const hidden = rows.length - ROWS_MAX;
  const lines = [
    `## ${MARKS[report.verdict]} Performance gate: ${VERDICT_TITLES[report.verdict].toLowerCase()}`,
    '',
    escapeMarkdown(methodOf(report)),
    '',
    `| | metric | ${report.method === 'budget' ? 'limit' : 'base'} | head | worse by | |`,
    '| --- | --- | ---: | ---: | ---: | --- |',
    ...rows.slice(0, ROWS_MAX).map(rowOf),
    ...(hidden > 0 ? ['', `${hidden} more metrics are in the JSON report.`] : []),
    ...(report.warnings.length > 0 ? ['', ...report.warnings.map((warning) => `> ⚠️ ${escapeMarkdown(warning)}`)] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function rowOf({ verdict, name, unit, base, head, worseBy, reason, settledBy }: MetricVerdict): string {
  const change = worseBy === null ? '–' : formatShare(worseBy);
  const explanation = settledBy === null ? reason : `${reason}; would settle it: ${settledBy}`;
  const cells = [MARKS[verdict], name, figure(base, unit), figure(head, unit), change, explanation];
  return `| ${cells.map(escapeMarkdown).join(' | ')} |`;
}
