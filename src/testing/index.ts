/** Entry point `standstill/testing`: assertions for any test runner. */
export { type DuringOptions, during, type MaintenanceWatch } from '../maintenance/during.js';
export {
  assertAvailability,
  assertClockLagBelow,
  assertEventsAcknowledged,
  assertLostNoSteps,
  assertMemoryPreserved,
  assertMonotonicStoodStill,
  assertResumedWithin,
  assertUpdatedOneDomainAtATime,
} from './asserts.js';
export type { Duration } from './checks.js';
export type { AvailabilityEvidence, FreezeEvidence, LogEvidence } from './evidence.js';
export { type MatcherResult, standstillMatchers } from './matchers.js';
