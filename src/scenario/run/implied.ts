import type { ExpectationResult } from '../../report/record.js';
import { parseExpectation } from '../expectation.js';
import type { Scenario } from '../scenario.js';
import { judge } from './expectations.js';
import { entriesOf, type Observed } from './samples.js';

/**
 * What every scenario expects unless its file says something about it: maintenances end well, rollouts are done; and
 * always, that the rest of the schedule was done, that probes at the start and the end are well, and that no guest died.
 */
export function judgeImplied(scenario: Scenario, observed: Observed): ExpectationResult[] {
  const results: ExpectationResult[] = [];
  const says = (metric: string) => scenario.expect.some((each) => each.metric.startsWith(metric));
  const has = (kind: string) => scenario.schedule.some(({ action }) => action.kind === kind);
  if (!says('maintenances.') && (has('maintenance') || has('rollout'))) {
    results.push(implied('maintenances.failed == 0', observed));
  }
  if (!says('rollout') && has('rollout')) results.push(implied('rollout: done', observed));
  if (scenario.schedule.length > 0) results.push(scheduleResult(observed));
  results.push(...probeResults(observed), guestsResult(observed));
  return results;
}

function implied(text: string, observed: Observed): ExpectationResult {
  const parsed = parseExpectation(text);
  if ('mistake' in parsed) throw new Error(parsed.mistake.message);
  return judge(parsed.expectation, observed, (name) => [name]);
}

/** Maintenances and rollouts have metrics of their own. */
function scheduleResult(observed: Observed): ExpectationResult {
  const planned = entriesOf(observed, 'run-planned').reduce((sum, { actions }) => sum + actions.length, 0);
  const done = entriesOf(observed, 'action-end');
  const problems = [
    ...done
      .filter(({ kind, ok }) => !ok && kind !== 'maintenance' && kind !== 'rollout')
      .map(({ action, problems: own }) => `${action}: ${own.join('; ')}`),
    ...entriesOf(observed, 'action-missed').map(({ action, after }) => `${action} was never due: no ${after}`),
  ];
  return {
    text: 'the schedule was followed',
    ok: problems.length === 0 && done.length === planned,
    observed: `${done.length} of ${planned} actions done`,
    detail: problems,
  };
}

/** Steady state: what is asked at the start and at the end is well. */
const probeResults = ({ probes }: Observed): ExpectationResult[] =>
  probes
    .filter(({ kind }) => kind === 'start' || kind === 'end')
    .map(({ name, kind, ok, problems, total }) => ({
      text: `'${name}' is well at the ${kind}`,
      ok,
      observed: `${total.ok} of ${total.asked} answers`,
      detail: problems,
    }));

function guestsResult(observed: Observed): ExpectationResult {
  const last = new Map<string, string>();
  for (const entry of observed.log)
    if (entry.type === 'vm-faulted' || entry.type === 'vm-started') last.set(entry.vm, entry.type);
  const dead = [...last].flatMap(([vm, type]) => (type === 'vm-faulted' ? [vm] : []));
  const text = `${last.size - dead.length} of ${last.size} live`;
  return { text: 'no guest died', ok: dead.length === 0, observed: text, detail: dead };
}
