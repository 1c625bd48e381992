import { unexpected } from '../base/errors.js';
import type { LogEntry } from '../base/event-log.js';
import { formatNs } from '../base/units.js';
import {
  checkRollout,
  type FleetEvent,
  type ProbeSummary,
  type RolloutReport,
  type RolloutViolation,
} from '../index.js';
import { type Check, nothingToAssert, type Outcome, overall } from './check.js';
import { type AvailabilityEvidence, entriesOf, isRolloutReport, type LogEvidence, probesOf } from './evidence.js';

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

/**
 * Of what probes found: that this share of what each asked while VMs stood still was answered well. Of a log: that this
 * share of each availability set ran at every instant.
 */
export function checkAvailability(evidence: LogEvidence | AvailabilityEvidence, share: number | string): Check {
  const least = shareOf(share);
  const probes = probesOf(evidence);
  return probes === undefined ? ofSets(evidence, least) : ofProbes(probes, least);
}

const AVAILABILITY = 'an assertion on availability';
const percentOf = (share: number): string => `${Number((share * 100).toFixed(2))} %`;

function ofProbes(probes: readonly ProbeSummary[], least: number): Check {
  const outcomeOf = ({ during: { okShare } }: ProbeSummary): Outcome => {
    if (okShare === null) return 'undecided';
    return okShare >= least ? 'holds' : 'fails';
  };
  const outcome = overall(probes.map(outcomeOf));
  const shown = outcome === 'holds' ? probes : probes.filter((probe) => outcomeOf(probe) === outcome);
  const names = shown.map(({ name }) => name).join(', ');
  const observed = {
    holds: `of ${names} so many were`,
    fails: `of ${names} fewer were`,
    undecided: `${names} asked nothing then`,
  }[outcome];
  return {
    outcome,
    expected: `${percentOf(least)} of the asks while VMs stood still to be answered well`,
    contrary: `less than ${percentOf(least)} of the asks while VMs stood still to be answered well`,
    observed,
    lines: shown.flatMap(describeProbe),
  };
}

function describeProbe({ name, target, before, during, after, longestOutageNs }: ProbeSummary): string[] {
  const answers = Object.entries({ before, during, after }).map(
    ([phase, { ok, asked }]) => `${phase} ${ok} of ${asked}`,
  );
  const outage = longestOutageNs === null ? '' : `; the longest outage ${formatNs(longestOutageNs)}`;
  return [`${name} (${target})`, `  ${answers.join(' · ')}${outage}`];
}

function ofSets(evidence: unknown, runningShareMin: number): Check {
  const checked = checkRollout(entriesFor(evidence, AVAILABILITY), { runningShareMin });
  if (checked.impacts === 0) {
    throw nothingToAssert(`the impact on a VM of an availability set for ${AVAILABILITY} but received none`);
  }
  const violations = checked.violations.filter(({ kind }) => kind === 'too-few-running');
  const percent = percentOf(runningShareMin);
  return {
    outcome: violations.length === 0 ? 'holds' : 'fails',
    expected: `${percent} of the VMs of each availability set to run at every instant`,
    contrary: `less than ${percent} of the VMs of an availability set to run at some instant`,
    observed:
      violations.length === 0 ? `of ${checked.instants} instants there was none at which fewer did` : 'fewer did',
    lines: violations.flatMap(({ message, entries }) => [message, ...entries.map(describeEntry)]),
  };
}

function entriesFor(evidence: unknown, assertion: string): readonly LogEntry<FleetEvent>[] {
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
