import type { DeterminismReport, RolloutReport, RunRecord } from '../index.js';
import { checkAvailability } from './availability-check.js';
import { type Check, messageOfCheck } from './check.js';
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

/** What vitest and Jest give a matcher as `this`. */
interface MatcherState {
  readonly isNot?: boolean | undefined;
}

/** What a matcher answers. */
export interface MatcherResult {
  readonly pass: boolean;
  /** What is told where it does not hold. */
  readonly message: () => string;
}

/** Matchers for `expect.extend`, of vitest and of Jest; each asserts what the function of its name in this entry point does. */
export const standstillMatchers = {
  /** Every VM has the memory that it had at its halt, and that is proved. */
  toHavePreservedMemory(this: MatcherState, received: FreezeEvidence): MatcherResult {
    return result(this, checkMemoryPreserved(received));
  },
  /** Every VM that was frozen ran again within a time such as '30s', from its halt on. */
  toHaveResumedWithin(this: MatcherState, received: FreezeEvidence, within: Duration): MatcherResult {
    return result(this, checkResumedWithin(received, within));
  },
  /** Every guest's wall clock is at most a time such as '1ms' behind after its synchronisation. */
  toHaveClockLagBelow(this: MatcherState, received: FreezeEvidence, limit: Duration): MatcherResult {
    return result(this, checkClockLagBelow(received, limit));
  },
  /** The guests' own monotonic time stood still while they did. */
  toHaveStoppedMonotonicTime(this: MatcherState, received: FreezeEvidence): MatcherResult {
    return result(this, checkMonotonicStoodStill(received));
  },
  /** No guest took a step while it was halted, and none is missing. */
  toHaveLostNoSteps(this: MatcherState, received: FreezeEvidence | DeterminismReport): MatcherResult {
    return result(this, checkLostNoSteps(received));
  },
  /** At no instant were two update domains of one set impacted. */
  toHaveUpdatedOneDomainAtATime(this: MatcherState, received: LogEvidence | RolloutReport): MatcherResult {
    return result(this, checkOneDomainAtATime(received));
  },
  /** A probe's share of good answers is what was asked for at least. */
  toHaveAvailability(
    this: MatcherState,
    received: LogEvidence | AvailabilityEvidence,
    share: number | string,
  ): MatcherResult {
    return result(this, checkAvailability(received, share));
  },
  /** A guest acknowledged each Scheduled Event before it began. */
  toHaveAcknowledgedEvents(this: MatcherState, received: LogEvidence | RunRecord): MatcherResult {
    return result(this, checkEventsAcknowledged(received));
  },
};

function result({ isNot = false }: MatcherState, check: Check): MatcherResult {
  // What is not decided passes in neither sense.
  const pass = check.outcome === 'undecided' ? isNot : check.outcome === 'holds';
  return { pass, message: () => messageOfCheck(check, isNot) };
}
