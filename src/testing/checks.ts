import { StandstillError, unexpected } from '../base/errors.js';
import { formatNs, NS_PER_MS, parseDurationNs } from '../base/units.js';
import { assertGuaranteed, type ClockGuarantee, type DeterminismReport, PROCESS_CLOCKS } from '../index.js';
import { type Check, describeStandstill, impacted, namesOf, type Outcome, overall } from './check.js';
import { type FreezeEvidence, type Standstill, standstillsOf } from './evidence.js';

/** Text such as '30s' or '200ms', or a number of milliseconds. */
export type Duration = string | number;

const EXPECTED_DURATION = "text such as '30s' or '200ms', or milliseconds above 0";

export function checkMemoryPreserved(evidence: FreezeEvidence): Check {
  const assertion = 'an assertion on memory';
  const all = standstillsOf(evidence, assertion);
  const proved = all.filter(({ memory }) => memory !== null);
  if (proved.length === 0 || proved.length < all.length) {
    const received =
      all.length === 0 ? 'no VM' : `none of the memory of ${namesOf(all.filter(({ memory }) => memory === null))}`;
    const remedy = 'applyMaintenance and whileFrozen give one';
    throw new StandstillError(
      'ERR_INVALID_OPTION',
      `Expected a proof for ${assertion} but received ${received}: ${remedy}`,
    );
  }
  const verdictOf = ({ memory }: Standstill): Outcome => {
    if (memory?.verdict === 'preserved') return 'holds';
    return memory?.verdict === 'unproven' ? 'undecided' : 'fails';
  };
  const outcome = overall(proved.map(verdictOf));
  const culprits = outcome === 'holds' ? proved : proved.filter((each) => verdictOf(each) === outcome);
  const what = outcome === 'undecided' ? 'is unproven' : 'was not';
  return {
    outcome,
    expected: 'memory to be preserved',
    contrary: 'memory not to be preserved',
    observed: outcome === 'holds' ? `that of ${namesOf(proved)} is` : `that of ${namesOf(culprits)} ${what}`,
    lines: culprits.flatMap((each) => {
      const [first, ...rest] = describeStandstill(each);
      return [
        `${first}, memory ${each.memory?.verdict}`,
        ...(each.memory?.lines ?? []).map((line) => `  ${line}`),
        ...rest,
      ];
    }),
  };
}

export function checkResumedWithin(evidence: FreezeEvidence, within: Duration): Check {
  const limitNs = durationNsOf(within, 'resumed within');
  const assertion = 'an assertion on the time to resume';
  const vms = impacted(standstillsOf(evidence, assertion, 'log'), assertion);
  const isLate = ({ blackoutNs }: Standstill) => blackoutNs === null || blackoutNs > limitNs;
  const late = vms.filter(isLate);
  const shown = late.length > 0 ? late : vms;
  const longestNs = Math.max(...shown.map(({ blackoutNs }) => blackoutNs ?? Number.POSITIVE_INFINITY));
  const observed = Number.isFinite(longestNs) ? `took ${formatNs(longestNs)}` : 'has not resumed';
  return {
    outcome: late.length > 0 ? 'fails' : 'holds',
    expected: `every VM to resume within ${formatNs(limitNs)}`,
    contrary: `a VM not to resume within ${formatNs(limitNs)}`,
    observed: late.length > 0 ? `${namesOf(late)} ${observed}` : `the longest ${observed}`,
    lines: shown.flatMap(describeStandstill),
  };
}

export function checkClockLagBelow(evidence: FreezeEvidence, limit: Duration): Check {
  const limitNs = durationNsOf(limit, 'a clock lag below');
  const assertion = 'an assertion on clock lag';
  const vms = impacted(standstillsOf(evidence, assertion), assertion);
  demand(vms, 'wall-lags-until-synchronised');
  const outcomeOf = ({ clockLagNs }: Standstill): Outcome => {
    if (clockLagNs === null) return 'undecided';
    return Math.abs(clockLagNs) < limitNs ? 'holds' : 'fails';
  };
  const outcome = overall(vms.map(outcomeOf));
  const shown = outcome === 'holds' ? vms : vms.filter((each) => outcomeOf(each) === outcome);
  const greatestNs = Math.max(...shown.map(({ clockLagNs }) => Math.abs(clockLagNs ?? 0)));
  const lag = `lags by ${formatNs(greatestNs)}`;
  const observed = outcome === 'undecided' ? 'was not synchronised, as far as this tells' : lag;
  return {
    outcome,
    expected: `every clock to lag by less than ${formatNs(limitNs)}`,
    contrary: `a clock to lag by ${formatNs(limitNs)} or more`,
    observed: `that of ${namesOf(shown)} ${observed}`,
    lines: shown.flatMap((each) => {
      const own =
        each.clockLagNs === null ? [] : [`  clock lag after the synchronisation ${formatNs(each.clockLagNs)}`];
      return [...describeStandstill(each), ...own];
    }),
  };
}

/** That monotonic time stood still for the guest, by what its own ticker felt: to the nanosecond. */
export function checkMonotonicStoodStill(evidence: FreezeEvidence): Check {
  const assertion = 'an assertion on monotonic time';
  const vms = impacted(standstillsOf(evidence, assertion), assertion);
  demand(vms, 'monotonic-stands-still');
  const outcomeOf = ({ ticker }: Standstill): Outcome => {
    if (ticker === null || ticker.exact === null) return 'undecided';
    return ticker.exact ? 'holds' : 'fails';
  };
  const outcome = overall(vms.map(outcomeOf));
  const shown = outcome === 'holds' ? vms : vms.filter((each) => outcomeOf(each) === outcome);
  const observed = {
    holds: 'it did',
    fails: `that of ${namesOf(shown)} moved`,
    undecided: `${namesOf(shown)} did not read a clock around the freeze: the program 'ticker' does`,
  }[outcome];
  return {
    outcome,
    expected: 'monotonic time to stand still in the guest',
    contrary: 'monotonic time to move on in the guest',
    observed,
    lines: shown.flatMap((each) => {
      const { ticker } = each;
      const hidden = `  its clock hid ${ticker?.hiddenNs} ns, its pauses were ${ticker?.pausedNs} ns`;
      return [...describeStandstill(each), ...(ticker === null ? [] : [hidden])];
    }),
  };
}

/** That no guest made or lost a step while it was halted; of a twin run, that none was lost over all of its pauses. */
export function checkLostNoSteps(evidence: FreezeEvidence | DeterminismReport): Check {
  if (isTwinRun(evidence)) return checkTwinRun(evidence);
  const assertion = 'an assertion on steps';
  const vms = impacted(standstillsOf(evidence, assertion), assertion);
  const uncounted = vms.find(({ steps }) => steps === null);
  if (uncounted !== undefined) {
    const why = uncounted.kind === 'process' ? 'a process counts none' : 'this does not tell them';
    throw new StandstillError(
      'ERR_NOT_SUPPORTED',
      `Expected the steps of VM '${uncounted.vm}' for ${assertion} but ${why}`,
    );
  }
  const wrong = vms.filter(({ steps }) => steps?.atHalt !== steps?.atRelease);
  const shown = wrong.length > 0 ? wrong : vms;
  return {
    outcome: wrong.length > 0 ? 'fails' : 'holds',
    expected: 'no guest to make or lose a step while it was halted',
    contrary: 'a guest to make or lose a step while it was halted',
    observed: wrong.length > 0 ? `${namesOf(wrong)} did` : `${namesOf(vms)} did not`,
    lines: shown.flatMap((each) => [
      ...describeStandstill(each),
      `  step ${each.steps?.atHalt} at the halt, ${each.steps?.atRelease} at the release`,
    ]),
  };
}

const isTwinRun = (value: unknown): value is DeterminismReport =>
  typeof value === 'object' && value !== null && 'runs' in value && 'steps' in value;

function checkTwinRun({ runs, steps, ok }: DeterminismReport): Check {
  const pauses = runs.reduce((sum, run) => sum + run.pausesTaken, 0);
  return {
    // Without a pause, nothing could be lost.
    outcome: ok && pauses === 0 ? 'undecided' : ok ? 'holds' : 'fails',
    expected: `all runs to be in one state at step ${steps}`,
    contrary: `two runs to be in different states at step ${steps}`,
    observed: ok ? `they are, over ${pauses} pauses` : 'they are not: a step was lost or made twice',
    lines: runs.map(
      ({ name, digest, violation }) => `${name}: RAM ${digest}${violation === null ? '' : `, ${violation}`}`,
    ),
  };
}

/** Refuses with ERR_NOT_SUPPORTED what does not hold for a kind of guest, or is not known to. */
function demand(vms: readonly Standstill[], guarantee: ClockGuarantee): void {
  for (const { vm, kind } of vms) {
    if (kind === 'process') assertGuaranteed(PROCESS_CLOCKS, guarantee, vm);
    if (kind !== 'unknown') continue;
    const message = `Expected a report or the records of a freeze for the clock of VM '${vm}' but received what tells no clock`;
    throw new StandstillError('ERR_NOT_SUPPORTED', message);
  }
}

function durationNsOf(duration: Duration, what: string): number {
  const durationNs = typeof duration === 'string' ? parseDurationNs(duration, what) : Number(duration) * NS_PER_MS;
  if (durationNs > 0 && Number.isFinite(durationNs)) return durationNs;
  throw unexpected('ERR_INVALID_OPTION', EXPECTED_DURATION, what, duration);
}
