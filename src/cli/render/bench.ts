import { formatFigure, formatRatio } from '../../bench/figure.js';
import type { BenchMeasurement, BenchMetric, BenchNoise, BenchResult, BenchUnit } from '../../bench/result-schema.js';
import type { Terminal } from '../terminal.js';
import { renderCharts } from './bench-chart.js';
import { renderHistogram } from './histogram.js';
import { type Column, renderTable } from './table.js';

/** One line of the table: a metric, or what it is held against. */
interface Row {
  readonly title: string;
  readonly unit: BenchUnit;
  readonly measurement: BenchMeasurement;
  readonly ratio: string;
  readonly target: string;
}

/** The result for people: the machine, the table, charts, and what must be known of the figures. */
export function renderBench(result: BenchResult, { style }: Terminal): string {
  const { metrics, calibrations } = result;
  const rows: Row[] = [
    ...metrics.flatMap((metric) => rowsOf(metric, style)),
    ...calibrations.map(({ name, title, unit, measurement }) => ({
      title: style.dim(`limit ${name}: ${title}`),
      unit,
      measurement,
      ratio: '',
      target: '',
    })),
  ];
  const remarks = [
    ...metrics.flatMap(({ title, notes }) => notes.map((note) => `${title}: ${note}`)),
    ...differencesOf(metrics),
    ...result.skipped.map(({ name, reason }) => `${name}: skipped: ${reason}`),
  ];
  const sections = [
    renderMachine(result),
    result.warnings.map((warning) => style.yellow(`warning: ${warning}`)).join('\n'),
    renderTable(COLUMNS, rows, style),
    ...renderCharts(metrics),
    remarks.join('\n'),
  ];
  return `${sections.filter((section) => section !== '').join('\n\n')}\n`;
}

function renderMachine({ environment, noise, quick, durationMs }: BenchResult): string {
  const { cpuModel, cores, kernel, governor, commit, versions } = environment;
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const noiseOf = ({ score, stealShare, othersShare, load1 }: BenchNoise) =>
    `${score} of 100 (steal ${percent(stealShare)}, other processes ${percent(othersShare)}, load ${load1.toFixed(2)})`;
  return [
    `${cpuModel}, ${cores} cores, Linux ${kernel}, governor ${governor ?? 'unknown'}; node ${versions.node}, commit ${commit ?? 'unknown'}`,
    `${(durationMs / 1000).toFixed(0)} s${quick ? ', quick: this says that it works, not how fast it is' : ''}; noise before ${noise.before.score}, during ${noiseOf(noise.during)}`,
  ].join('\n');
}

function rowsOf(metric: BenchMetric, style: Terminal['style']): Row[] {
  const { title, promise, unit, measurement, references, target } = metric;
  const verdict = target?.met == null ? '' : target.met ? style.green('met') : style.yellow('missed');
  return [
    {
      title: `${promise === null ? '' : `${promise} `}${title}`,
      unit,
      measurement,
      ratio: '',
      target: target === null ? '' : `${target.text} ${verdict}`.trim(),
    },
    ...references.map(({ role, name, measurement: theirs, ratio }) => ({
      title: style.dim(`  ${role}: ${name}`),
      unit,
      measurement: theirs,
      ratio: ratio === null ? '' : formatRatio(ratio),
      target: '',
    })),
  ];
}

function differencesOf(metrics: readonly BenchMetric[]): string[] {
  const texts = metrics.flatMap(({ references }) =>
    references.filter(({ differs }) => differs !== '').map(({ name, differs }) => `${name}: ${differs}`),
  );
  return [...new Set(texts)];
}

const percentile = (head: 'p50' | 'p90' | 'p99' | 'p99.9'): Column<Row> => ({
  head,
  align: 'right',
  cell: ({ unit, measurement }) => formatFigure(measurement.summary.percentiles[head], unit),
});

const COLUMNS: readonly Column<Row>[] = [
  { head: 'case', align: 'left', cell: ({ title }) => title },
  { head: 'n', align: 'right', cell: ({ measurement }) => String(measurement.summary.samples) },
  percentile('p50'),
  percentile('p90'),
  percentile('p99'),
  percentile('p99.9'),
  {
    head: 'max',
    align: 'right',
    cell: ({ unit, measurement: { summary } }) => (summary.samples === 0 ? '' : formatFigure(summary.max, unit)),
  },
  { head: 'min … p99', align: 'left', cell: ({ measurement }) => renderHistogram(measurement) },
  { head: 'ours / it', align: 'left', cell: ({ ratio }) => ratio },
  { head: 'target', align: 'left', cell: ({ target }) => target },
];
