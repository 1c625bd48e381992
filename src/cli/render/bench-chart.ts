import { formatFigure } from '../../bench/figure.js';
import type { BenchMetric, BenchSummary } from '../../bench/result-schema.js';

const COLUMNS = 60;
const AXIS_COLUMNS = COLUMNS + 12;

interface Axis {
  readonly low: number;
  readonly high: number;
  readonly column: (value: number) => number;
}

/** Metrics that belong together, one below the other on one logarithmic axis: p50 to p99, and the maximum. */
export function renderCharts(metrics: readonly BenchMetric[]): string[] {
  const drawn = metrics.filter(({ chart, measurement }) => chart != null && measurement.summary.samples > 0);
  const titles = [...new Set(drawn.map(({ chart }) => chart?.title))];
  return titles.map((title) => renderChart(drawn.filter(({ chart }) => chart?.title === title)));
}

function renderChart(metrics: readonly BenchMetric[]): string {
  const [first] = metrics;
  if (first === undefined) return '';
  const axis = axisOf(metrics.map(({ measurement }) => measurement.summary));
  const labels = metrics.map(({ chart }) => chart?.label ?? '');
  const labelColumns = Math.max(...labels.map(({ length }) => length));
  const rows = metrics.map(({ unit, measurement: { summary } }, index) => {
    const { p50, p99 } = summary.percentiles;
    const tail = p99 === undefined ? '' : `  p99 ${formatFigure(p99, unit)}`;
    const figures = `p50 ${formatFigure(p50, unit)}${tail}  max ${formatFigure(summary.max, unit)}`;
    return `${(labels[index] ?? '').padStart(labelColumns)} │${renderRow(summary, axis)}  ${figures}`;
  });
  const title = `${first.chart?.title} (● p50, ○ p99, ┤ max)`;
  return [title, `${' '.repeat(labelColumns)}  ${renderAxis(axis, first)}`, ...rows].join('\n');
}

function axisOf(summaries: readonly BenchSummary[]): Axis {
  const logarithm = (value: number) => Math.log10(Math.max(1, value));
  const low = Math.floor(Math.min(...summaries.map(({ percentiles }) => logarithm(percentiles.p50 ?? 1))));
  const high = Math.max(low + 1, Math.ceil(Math.max(...summaries.map(({ max }) => logarithm(max)))));
  const column = (value: number) =>
    Math.min(COLUMNS, Math.max(0, Math.round(((logarithm(value) - low) / (high - low)) * COLUMNS)));
  return { low, high, column };
}

function renderAxis({ low, high, column }: Axis, { unit }: BenchMetric): string {
  const cells = new Array<string>(AXIS_COLUMNS).fill(' ');
  for (let exponent = low; exponent <= high; exponent++) {
    const text = formatFigure(10 ** exponent, unit).replace(/\.0+(?= )/, '');
    cells.splice(column(10 ** exponent), text.length, ...text);
  }
  return cells.join('').trimEnd();
}

function renderRow({ percentiles: { p50 = 0, p99 = p50 }, max }: BenchSummary, { column }: Axis): string {
  const cells = new Array<string>(COLUMNS + 1).fill(' ');
  cells.fill('━', column(p50), column(p99));
  cells[column(max)] = '┤';
  cells[column(p99)] = '○';
  cells[column(p50)] = '●';
  return cells.join('');
}
