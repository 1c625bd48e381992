import commonJsModule, { type Builder } from 'junit-report-builder';
import { formatShare, formatValue } from '../units.js';
import type { GateReport } from '../verdict.js';
import { methodOf } from './markdown.js';

// The package's types describe an ES module, but what Node loads is the builder itself.
const junit = commonJsModule as unknown as Builder;

/** JUnit XML: a test case a metric; a regression is a failure, an undecided metric an error of the measurement. */
export function renderJunit(report: GateReport): string {
  const builder = junit.newBuilder();
  const suite = builder.testSuite().name(`standstill gate (${report.method})`);
  suite.property('verdict', report.verdict);
  suite.property('method', methodOf(report));
  for (const [index, warning] of report.warnings.entries()) suite.property(`warning.${index + 1}`, warning);
  for (const { name, unit, verdict, base, head, worseBy, reason, settledBy } of report.metrics) {
    const testCase = suite.testCase().className('standstill.gate').name(name);
    const change = worseBy === null ? '' : `, worse by ${formatShare(worseBy)}`;
    const figures =
      base === null || head === null ? '' : `${formatValue(base, unit)} → ${formatValue(head, unit)}${change}: `;
    const text = `${figures}${reason}`;
    if (verdict === 'regression') testCase.failure(text, 'regression');
    else if (verdict === 'undecided') testCase.error(`${text}; would settle it: ${settledBy}`, 'undecided');
    else testCase.standardOutput(`${verdict}: ${text}`);
  }
  return builder.build();
}
