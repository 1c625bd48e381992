import commonJsModule, { type Builder } from 'junit-report-builder';
import { formatFigure, formatRatio } from '../figure.js';
import type { BenchMetric, BenchResult } from '../result-schema.js';

// The package's types describe an ES module, but what Node loads is the builder itself.
const junit = commonJsModule as unknown as Builder;

/**
 * JUnit XML: a suite a case, a test a metric, its figures as the output. A benchmark never fails on a time, so a target
 * that is missed is in the output and no failure; what could not be measured is skipped, with the reason.
 */
export function toJunit({ metrics, skipped, startedAt }: BenchResult): string {
  const report = junit.newBuilder();
  for (const name of new Set(metrics.map((metric) => metric.case))) {
    const suite = report.testSuite().name(`standstill bench ${name}`).timestamp(startedAt);
    for (const metric of metrics.filter((one) => one.case === name))
      suite.testCase().className(name).name(metric.name).standardOutput(figuresOf(metric));
  }
  for (const { name, reason } of skipped)
    report
      .testSuite()
      .name(`standstill bench ${name}`)
      .testCase()
      .className(name)
      .name(name)
      .standardOutput(reason)
      .skipped();
  return `${report.build()}\n`;
}

function figuresOf({ title, unit, measurement: { summary }, references, target, notes }: BenchMetric): string {
  const figures = Object.entries({ ...summary.percentiles, max: summary.max }).map(
    ([name, value]) => `${name} ${formatFigure(value, unit)}`,
  );
  const verdict = target?.met == null ? '' : target.met ? ': met' : ': missed';
  return [
    `${title}: ${summary.samples} samples, ${figures.join(', ')}`,
    ...references.map(({ role, name, ratio }) => `${role} ${name}: ${ratio === null ? 'none' : formatRatio(ratio)}`),
    ...(target === null ? [] : [`target ${target.text}${verdict}`]),
    ...notes,
  ].join('\n');
}
