import type { DeterminismReport, RolloutReport, RunRecord } from '../index.js';
import { checkAvailability } from './availability-check.js';
import { assertHolds } from './check.js';
import {
  checkClockLagBelow,
  checkLostNoSteps,
  checkMemoryPreserved,
  checkMonotonicStoodStill,
  checkResumedWithin,
  type Duration,
} from './checks.js';
import { checkOneDomainAtATime } from './domains-check.js';
import { checkEventsAcknowledged } from './events-check.js';
import type { AvailabilityEvidence, FreezeEvidence, LogEvidence } from './evidence.js';

/**
 * Each of these throws ERR_ASSERTION with what was expected, what was observed and where the time went, also where what is
 * given does not decide it; ERR_INVALID_OPTION where it is of another kind, or where no VM stood still, for then there is
 * nothing to assert; and ERR_NOT_SUPPORTED for what a kind of guest does not have.
 */

/** The bytes read at the release equal those read at the halt, of every VM. The message shows the first that differ. */
export function assertMemoryPreserved(evidence: FreezeEvidence): void {
  assertHolds(checkMemoryPreserved(evidence));
}

/** Every VM that was frozen ran again so soon, from its halt to its resume: '30s', '200ms', or milliseconds. */
export function assertResumedWithin(evidence: FreezeEvidence, within: Duration): void {
  assertHolds(checkResumedWithin(evidence, within));
}

/** Every guest's wall clock was off by less than this after its synchronisation. ERR_NOT_SUPPORTED for a process. */
export function assertClockLagBelow(evidence: FreezeEvidence, limit: Duration): void {
  assertHolds(checkClockLagBelow(evidence, limit));
}

/** The guests' monotonic time did not see the freeze, to the nanosecond, by their own tickers. ERR_NOT_SUPPORTED for a process. */
export function assertMonotonicStoodStill(evidence: FreezeEvidence): void {
  assertHolds(checkMonotonicStoodStill(evidence));
}

/** No guest made or lost a step while it was halted; of a twin run, over all of its pauses. ERR_NOT_SUPPORTED for a process. */
export function assertLostNoSteps(evidence: FreezeEvidence | DeterminismReport): void {
  assertHolds(checkLostNoSteps(evidence));
}

/** Never did two update domains of an availability set stand still at once, and no host was patched twice. */
export function assertUpdatedOneDomainAtATime(evidence: LogEvidence | RolloutReport): void {
  assertHolds(checkOneDomainAtATime(evidence));
}

/**
 * Of what probes found, this share of the asks of each while VMs stood still was answered well; of a log, this share of each
 * availability set ran at every instant: 0.8, or '80%'.
 */
export function assertAvailability(evidence: LogEvidence | AvailabilityEvidence, share: number | string): void {
  assertHolds(checkAvailability(evidence, share));
}

/**
 * A guest acknowledged each Scheduled Event before it began. Withdrawn events need no acknowledgement, those without notice
 * can have none; ERR_INVALID_OPTION where there is no other.
 */
export function assertEventsAcknowledged(evidence: LogEvidence | RunRecord): void {
  assertHolds(checkEventsAcknowledged(evidence));
}
