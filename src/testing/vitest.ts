/** Entry point `standstill/vitest`: matchers for `expect`, which the import registers, and a `test` with fixtures. */
import { test as base, expect } from 'vitest';
import { Fleet, type FleetOptions, Host, type HostOptions } from '../index.js';
import type { Duration } from './checks.js';
import { standstillMatchers } from './matchers.js';

export * from './index.js';

/** The matchers, as `expect(…)` has them. docs/TESTING.md explains what each takes. */
export interface StandstillMatchers<R = unknown> {
  /** The bytes read at the release equal those read at the halt, of every VM. */
  toHavePreservedMemory(): R;
  /** Every VM that was frozen ran again so soon: '30s', '200ms', or milliseconds. */
  toHaveResumedWithin(within: Duration): R;
  /** Every guest's wall clock was off by less than this after its synchronisation. Refused for a process. */
  toHaveClockLagBelow(limit: Duration): R;
  /** The guests' monotonic time did not see the freeze. Refused for a process. */
  toHaveStoppedMonotonicTime(): R;
  /** No guest made or lost a step while it was halted. Refused for a process. */
  toHaveLostNoSteps(): R;
  /** Never did two update domains of an availability set stand still at once. */
  toHaveUpdatedOneDomainAtATime(): R;
  /** Of probes, this share of the asks while VMs stood still was answered well; of a log, this share of each set always ran. */
  toHaveAvailability(share: number | string): R;
  /** A guest acknowledged each Scheduled Event before it began. */
  toHaveAcknowledgedEvents(): R;
}

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: the type parameter is vitest's, whose declaration this extends
  interface Matchers<T = any> extends StandstillMatchers<T> {}
}

expect.extend(standstillMatchers);

/** What `it` hands to a test, and closes behind it. */
export interface StandstillFixtures {
  /** Of the host that a test gets. Default: none. Set them with `test.override({ hostOptions: { … } })`. */
  hostOptions: HostOptions;
  /** A host of the test's own, closed after it, however the test ended: its VMs and processes are gone then. */
  host: Host;
  /** Of the fleet that a test gets. Default: none. */
  fleetOptions: FleetOptions;
  /** A fleet of the test's own, closed after it, however the test ended. */
  fleet: Fleet;
}

/** Vitest's `test`, with a host and a fleet for tests that name them. */
export const test = base.extend<StandstillFixtures>({
  hostOptions: {},
  host: async ({ hostOptions }, use) => {
    await using host = await Host.create(hostOptions);
    await use(host);
  },
  fleetOptions: {},
  fleet: async ({ fleetOptions }, use) => {
    await using fleet = await Fleet.create(fleetOptions);
    await use(fleet);
  },
});

/** Vitest's `it` with a host for each test that asks for one. */
export const it = test;
