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
  const found = isRolloutReport(evidence) ? ofReport(evidence) : ofLog(entriesFor(evidence, ASSERTION));
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

/** That this share of each availability set ran at every instant. */
export function checkAvailability(evidence: LogEvidence, share: number | string): Check {
  const assertion = 'an assertion on availability';
  const runningShareMin = shareOf(share);
  const checked = checkRollout(entriesFor(evidence, assertion), { runningShareMin });
  if (checked.impacts === 0)
    throw nothingToAssert(`the impact on a VM of an availability set for ${assertion} but received none`);
  const violations = checked.violations.filter(({ kind }) => kind === 'too-few-running');
  const percent = `${Number((runningShareMin * 100).toFixed(2))} %`;
  return {
    outcome: violations.length === 0 ? 'holds' : 'fails',
    expected: `${percent} of the VMs of each availability set to run at every instant`,
    contrary: `less than ${percent} of the VMs of an availability set to run at some instant`,
    observed:
      violations.length === 0 ? `of ${checked.instants} instants there was none at which fewer did` : 'fewer did',
    lines: violations.flatMap(({ message, entries }) => [message, ...entries.map(describeEntry)]),
  };
}

function entriesFor(evidence: LogEvidence, assertion: string): readonly LogEntry<FleetEvent>[] {
  const entries = entriesOf(evidence);
  if (entries !== undefined) return entries;
  throw unexpected('ERR_INVALID_OPTION', 'a RolloutReport, a Fleet or its event log', assertion, evidence);
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

function describeEntry(entry: LogEntry<FleetEvent>): string {
  const vm = 'vm' in entry ? ` ${entry.vm}` : '';
  return `  entry ${entry.seq} at ${formatNs(entry.atNs)}: ${entry.type}${vm}`;
}

const EXPECTED_SHARE = "a share such as 0.8 or '80%'";

function shareOf(share: number | string): number {
  const value = typeof share === 'string' && /^\d+(\.\d+)?\s*%$/.test(share) ? Number.parseFloat(share) / 100 : share;
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw unexpected('ERR_INVALID_OPTION', EXPECTED_SHARE, 'an assertion on availability', share);
}
