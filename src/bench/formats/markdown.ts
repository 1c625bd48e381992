import { formatFigure, formatRatio } from '../figure.js';
import type { BenchMetric, BenchReference, BenchResult } from '../result-schema.js';

const HEADS = ['case', 'n', 'p50', 'p90', 'p99', 'max', 'ours / it', 'target'];

/** A table, as a job summary or a comment shows it. */
export function toMarkdown({ metrics, environment, warnings, skipped, quick, noise }: BenchResult): string {
  const { cpuModel, cores, kernel, commit } = environment;
  return [
    '### standstill bench',
    '',
    `${cpuModel}, ${cores} cores, Linux ${kernel}, commit ${commit ?? 'unknown'}, noise ${noise.during.score} of 100${quick ? ', quick' : ''}`,
    '',
    ...warnings.map((warning) => `> ⚠️ ${warning}`),
    ...(warnings.length > 0 ? [''] : []),
    line(HEADS),
    line(HEADS.map((_, index) => (index === 0 || index > 5 ? '---' : '---:'))),
    ...metrics.flatMap((metric) => [
      line([metric.title, ...figuresOf(metric, metric.unit), '', targetOf(metric)]),
      ...metric.references.map((it) =>
        line([
          `&emsp;${it.role}: ${it.name}`,
          ...figuresOf(it, metric.unit),
          it.ratio === null ? '' : formatRatio(it.ratio),
          '',
        ]),
      ),
    ]),
    '',
    ...skipped.map(({ name, reason }) => `- ${name}: skipped: ${reason}`),
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}

function figuresOf({ measurement: { summary } }: BenchMetric | BenchReference, unit: BenchMetric['unit']): string[] {
  const { p50, p90, p99 } = summary.percentiles;
  return [String(summary.samples), ...[p50, p90, p99, summary.max].map((value) => formatFigure(value, unit))];
}

const targetOf = ({ target }: BenchMetric): string =>
  target === null ? '' : `${target.text}${target.met === null ? '' : target.met ? ' ✅' : ' ❌'}`;

const line = (cells: readonly string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
