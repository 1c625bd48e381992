import type { DeterminismReport, RolloutReport } from '../index.js';
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
import type { AvailabilityEvidence, FreezeEvidence, LogEvidence } from './evidence.js';

/** What vitest and Jest give a matcher as `this`. */
interface MatcherState {
  readonly isNot?: boolean | undefined;
}

export interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/** Matchers for `expect.extend`, of vitest and of Jest; each asserts what the function of its name in this entry point does. */
export const standstillMatchers = {
  toHavePreservedMemory(this: MatcherState, received: FreezeEvidence): MatcherResult {
    return result(this, checkMemoryPreserved(received));
  },
  toHaveResumedWithin(this: MatcherState, received: FreezeEvidence, within: Duration): MatcherResult {
    return result(this, checkResumedWithin(received, within));
  },
  toHaveClockLagBelow(this: MatcherState, received: FreezeEvidence, limit: Duration): MatcherResult {
    return result(this, checkClockLagBelow(received, limit));
  },
  toHaveStoppedMonotonicTime(this: MatcherState, received: FreezeEvidence): MatcherResult {
    return result(this, checkMonotonicStoodStill(received));
  },
  toHaveLostNoSteps(this: MatcherState, received: FreezeEvidence | DeterminismReport): MatcherResult {
    return result(this, checkLostNoSteps(received));
  },
  toHaveUpdatedOneDomainAtATime(this: MatcherState, received: LogEvidence | RolloutReport): MatcherResult {
    return result(this, checkOneDomainAtATime(received));
  },
  toHaveAvailability(
    this: MatcherState,
    received: LogEvidence | AvailabilityEvidence,
    share: number | string,
  ): MatcherResult {
    return result(this, checkAvailability(received, share));
  },
};

function result({ isNot = false }: MatcherState, check: Check): MatcherResult {
  // What is not decided passes in neither sense.
  const pass = check.outcome === 'undecided' ? isNot : check.outcome === 'holds';
  return { pass, message: () => messageOfCheck(check, isNot) };
}
