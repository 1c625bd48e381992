import { unexpected } from '../base/errors.js';
import type { LogEntry } from '../base/event-log.js';
import { formatNs } from '../base/units.js';
import { checkRollout, type FleetEvent, type RolloutReport, type RolloutViolation } from '../index.js';
import { type Check, nothingToAssert } from './check.js';
import { entriesOf, isRolloutReport, type LogEvidence } from './evidence.js';

const ONE = {
  expected: 'one update domain of a set at most to stand still at a time',
  contrary: 'two update domains of a set to stand still at once',
};
const ASSERTION = 'an assertion on update domains';

/** As `assertOneDomainAtATime` of a log; of a report, by the invariants in it. */
export function checkOneDomainAtATime(evidence: LogEvidence | RolloutReport): Check {
  const found = isRolloutReport(evidence) ? ofReport(evidence) : ofLog(entriesOr(evidence));
  if (found === undefined) {
    return { ...ONE, outcome: 'undecided', observed: 'the log has lost its first entries', lines: [] };
  }
  const { impacts, instants, violations } = found;
  if (impacts === 0)
    throw nothingToAssert(`the impact on a VM of an availability set for ${ASSERTION} but received none`);
  return {
    ...ONE,
    outcome: violations.length === 0 ? 'holds' : 'fails',
    observed: violations.length === 0 ? `of ${impacts} impacts at ${instants} instants none did` : 'that was not so',
    lines: violations.flatMap(({ message, lines }) => [message, ...lines]),
  };
}

function entriesOr(evidence: unknown): readonly LogEntry<FleetEvent>[] {
  const entries = entriesOf(evidence);
  if (entries !== undefined) return entries;
  throw unexpected('ERR_INVALID_OPTION', 'a RolloutReport, a RunRecord, a Fleet or its event log', ASSERTION, evidence);
}

function ofLog(entries: readonly LogEntry<FleetEvent>[]) {
  const { violations, ...rest } = checkRollout(entries);
  return { ...rest, violations: violations.map(ofViolation) };
}

const ofViolation = ({ message, entries }: RolloutViolation) => ({ message, lines: entries.map(describeEntry) });

function ofReport({ invariants }: RolloutReport) {
  if (invariants === null) return undefined;
  const violations = invariants.violations.map(({ message, seqs }) => ({
    message,
    lines: [`  shown by the entries ${seqs.join(', ')} of the log`],
  }));
  return { ...invariants, violations };
}

/** An entry that shows something, as a line. */
export function describeEntry(entry: LogEntry<FleetEvent>): string {
  const vm = 'vm' in entry ? ` ${entry.vm}` : '';
  return `  entry ${entry.seq} at ${formatNs(entry.atNs)}: ${entry.type}${vm}`;
}
