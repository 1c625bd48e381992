import { bySeverity, figure, methodOf, VERDICT_TITLES } from '../../gate/report/markdown.js';
import { formatShare } from '../../gate/units.js';
import type { GateReport, MetricVerdict, Verdict } from '../../gate/verdict.js';
import { type Column, renderTable } from '../render/table.js';
import type { Style } from '../terminal.js';

const ROWS_MAX = 50;

const mark = (verdict: Verdict, style: Style): string =>
  ({
    pass: style.green('✔'),
    regression: style.red('✘'),
    improvement: style.green('▲'),
    undecided: style.yellow('?'),
  })[verdict];

/** The report for people: what is worst first, what would settle the open, the verdict last. */
export function renderReport(report: GateReport, style: Style): string {
  const isBudget = report.method === 'budget';
  const columns: Column<MetricVerdict>[] = [
    { head: '', align: 'left', cell: ({ verdict }) => mark(verdict, style) },
    { head: 'metric', align: 'left', cell: ({ name }) => name },
    { head: isBudget ? 'limit' : 'base', align: 'right', cell: ({ base, unit }) => figure(base, unit) },
    { head: 'head', align: 'right', cell: ({ head, unit }) => figure(head, unit) },
    { head: 'worse by', align: 'right', cell: ({ worseBy }) => (worseBy === null ? '–' : formatShare(worseBy)) },
    { head: '', align: 'left', cell: ({ reason }) => style.dim(reason) },
  ];
  const rows = bySeverity(report.metrics);
  const hidden = rows.length - ROWS_MAX;
  const settling = new Set(rows.flatMap(({ settledBy }) => settledBy ?? []));
  const count = rows.filter(({ verdict }) => verdict === report.verdict).length;
  return [
    '',
    renderTable(columns, rows.slice(0, ROWS_MAX), style),
    ...(hidden > 0 ? [style.dim(`and ${hidden} metrics more, all in --json`)] : []),
    '',
    ...report.warnings.map((warning) => `${style.yellow('!')} ${warning}`),
    ...[...settling].slice(0, 3).map((text) => `${style.yellow('?')} would settle it: ${text}`),
    `${mark(report.verdict, style)} ${style.bold(VERDICT_TITLES[report.verdict])}: ${count} of ${rows.length} metrics`,
    `  ${style.dim(methodOf(report))}`,
    '',
    '',
  ].join('\n');
}
