// The table for people. Each row gives our figure, what it is held against, and the ratio of the two.
import Table from 'cli-table3';
import colors from 'picocolors';
import { drawCharts } from './chart.mjs';

function inUnit(value, unit) {
  if (value === undefined || value === null) return '';
  if (unit === 'ns') {
    if (value < 1000) return `${Math.round(value)} ns`;
    if (value < 1e6) return `${(value / 1e3).toPrecision(3)} µs`;
    return value < 1e9 ? `${(value / 1e6).toPrecision(3)} ms` : `${(value / 1e9).toPrecision(3)} s`;
  }
  if (unit === 'bytes') return `${(value / 1024).toFixed(0)} KiB`;
  if (unit === 'percent') return `${value >= 0 ? '+' : ''}${value.toFixed(1)} %`;
  if (unit === 'ops/s') return Math.round(value).toLocaleString('en');
  return value.toFixed(2);
}

const verdict = (met) => (met === null ? '–' : met ? colors.green('met') : colors.yellow('missed'));
const ratioText = ({ p50, p99 }) =>
  [p50 && `× ${p50.toPrecision(3)}`, p99 && `p99 × ${p99.toPrecision(3)}`].filter(Boolean).join(', ');

const COLUMNS = ['p50', 'p90', 'p99', 'p99.9', 'max'];

export function printReport({ environment, cases, skipped, elsewhere }, print = console.log) {
  const { cpuModel, cores, kernel, governor, commit, versions, noise } = environment;
  print(
    `${cpuModel}, ${cores} cores, Linux ${kernel}, governor ${governor ?? 'unknown'}; node ${versions.node}, commit ${commit ?? 'unknown'}`,
  );
  const percent = (share) => `${(share * 100).toFixed(1)} %`;
  print(
    `${noise.seconds.toFixed(0)} s; load ${noise.load1.toFixed(2)}, steal ${percent(noise.stealShare)}, other processes ${percent(noise.othersShare)} of the CPU time`,
  );
  for (const warning of environment.warnings)
    print(colors.yellow(`warning: ${warning}; the figures are the worse for it`));
  const table = new Table({
    head: ['case', '', ...COLUMNS, 'ours / it', 'target', ''],
    style: { head: [], border: [], compact: true },
  });
  for (const one of cases) {
    const cells = (summary) =>
      COLUMNS.map((column) => ({ content: inUnit(summary[column], one.unit), hAlign: 'right' }));
    table.push([
      `${one.promise} ${one.name}`,
      `${one.unit === 'GB/s' ? 'GB/s ' : ''}ours, n ${one.ours.samples}`,
      ...cells(one.ours),
      '',
      one.target?.text ?? '',
      verdict(one.met),
    ]);
    for (const it of one.references)
      table.push(['', `${it.role}: ${it.name}`, ...cells(it), ratioText(it.ratios), '', '']);
  }
  print(table.toString());
  for (const lines of drawCharts(cases, inUnit)) print(`\n${lines.join('\n')}\n`);
  for (const one of cases) for (const note of one.notes) print(`${one.name}: ${note}`);
  for (const { name, reason } of skipped) print(`${name}: skipped: ${reason}`);
  for (const { promise, command, source, note } of elsewhere) print(`${promise}: ${command} (${source}; ${note})`);
}
