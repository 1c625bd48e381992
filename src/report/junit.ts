import commonJsModule, { type Builder, type TestSuite } from 'junit-report-builder';
import { NS_PER_S } from '../base/units.js';
import { describeChange, figuresOf, problemsOf } from './figures.js';
import { headline } from './markdown.js';
import type { RunRecord } from './record.js';

// The package's types describe an ES module, but what Node loads is the builder itself.
const junit = commonJsModule as unknown as Builder;

/** What XML 1.0 has no way to write. */
const NOT_IN_XML = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;
const xml = (text: string): string => text.replace(NOT_IN_XML, '\ufffd');

/** JUnit XML: a test for each expectation, each VM of a maintenance, each rollout, process and probe, and the run itself. */
export function renderJunit(record: RunRecord): string {
  const { name, result, seed, startedAt, durationNs, error } = record;
  const builder = junit.newBuilder();
  const suite = builder
    .testSuite()
    .name(xml(name))
    .timestamp(startedAt)
    .time(durationNs / NS_PER_S);
  if (seed !== null) suite.property('seed', String(seed));
  suite.property('standstill', record.standstill);
  const headlineText = headline(record, figuresOf(record));
  const run = test(suite, 'run', 'the run', result === 'passed' ? [] : [result, ...problemsOf(record)], headlineText);
  if (error !== null) run.error(xml(error.message), error.code ?? 'Error');
  for (const { text, ok, observed, detail } of record.expectations) {
    test(suite, 'expectations', text, ok ? [] : [`Expected ${text} but observed ${observed}`, ...detail], observed);
  }
  for (const { host, report } of record.maintenances) {
    for (const vm of report.vms) {
      const own = report.problems.filter((problem) => problem.startsWith(`${vm.name}: `));
      const change = describeChange(vm);
      test(suite, `maintenance of ${host}`, vm.name, own, change === '' ? `memory ${vm.memory}` : change).time(
        vm.blackoutNs / NS_PER_S,
      );
    }
    for (const patch of report.patches) {
      const problems = patch.error === null ? [] : [patch.error.message];
      test(suite, `maintenance of ${host}`, `patch ${patch.name}`, problems, patch.status).time(
        patch.durationNs / NS_PER_S,
      );
    }
  }
  for (const { rollout, ok, problems, status, durationNs: tookNs } of record.rollouts) {
    test(suite, 'rollouts', rollout, ok ? [] : [status, ...problems], status).time(tookNs / NS_PER_S);
  }
  for (const { vm, ok, problems, freezes } of record.processes) {
    test(suite, 'processes', vm, ok ? [] : problems, `${freezes.length} freezes`);
  }
  for (const { name: probe, ok, problems, target } of record.probes) {
    test(suite, 'probes', probe, ok ? [] : problems, target);
  }
  return `${builder.build()}\n`;
}

/** Failed where there is a problem; what was seen is its output. */
function test(suite: TestSuite, group: string, name: string, problems: readonly string[], output: string) {
  const testCase = suite
    .testCase()
    .className(xml(`standstill.${group}`))
    .name(xml(name))
    .standardOutput(xml(output));
  return problems.length === 0 ? testCase : testCase.failure(xml(problems.join('\n')), 'failure');
}
