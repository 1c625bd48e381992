import { unexpected } from '../base/errors.js';
import type { LogEntry } from '../base/event-log.js';
import { formatNs } from '../base/units.js';
import { checkRollout, type FleetEvent, type ProbeSummary } from '../index.js';
import { type Check, nothingToAssert, type Outcome, overall } from './check.js';
import { describeEntry } from './domains-check.js';
import { type AvailabilityEvidence, entriesOf, type LogEvidence, probesOf } from './evidence.js';

const ASSERTION = 'an assertion on availability';

/**
 * Of what probes found: that this share of what each asked while VMs stood still was answered well. Of a log: that this
 * share of each availability set ran at every instant.
 */
export function checkAvailability(evidence: LogEvidence | AvailabilityEvidence, share: number | string): Check {
  const least = shareOf(share);
  const probes = probesOf(evidence);
  return probes === undefined ? ofSets(evidence, least) : ofProbes(probes, least);
}

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
  const checked = checkRollout(entriesOr(evidence), { runningShareMin });
  if (checked.impacts === 0) {
    throw nothingToAssert(`the impact on a VM of an availability set for ${ASSERTION} but received none`);
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

function entriesOr(evidence: unknown): readonly LogEntry<FleetEvent>[] {
  const entries = entriesOf(evidence);
  if (entries !== undefined) return entries;
  const expected = 'what probes found, a RunRecord, a Fleet or its event log';
  throw unexpected('ERR_INVALID_OPTION', expected, ASSERTION, evidence);
}

const EXPECTED_SHARE = "a share such as 0.8 or '80%'";

function shareOf(share: number | string): number {
  const value = typeof share === 'string' && /^\d+(\.\d+)?\s*%$/.test(share) ? Number.parseFloat(share) / 100 : share;
  if (typeof value === 'number' && value >= 0 && value <= 1) return value;
  throw unexpected('ERR_INVALID_OPTION', EXPECTED_SHARE, ASSERTION, share);
}
