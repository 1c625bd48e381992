import type { Host } from 'standstill';
import { afterEach, expect, it } from 'vitest';
import { runningHost } from '../fixtures/hosts.js';

let host: Host;
afterEach(() => host.close());

const FREEZES = 1000;
/** Two pairs of readings of the host's clocks, each cut to its nanosecond. */
const RESOLUTION_NS = 4;

it('1,000 freezes: the lag stays within the bracket of the clock reads after each, so that it does not add up', {
  timeout: 120_000,
}, async () => {
  host = (await runningHost(['kv-store'])).host;
  let pausedNs = 0;
  let widestNs = 0;
  for (let count = 0; count < FREEZES; count += 1) {
    await using scope = host.freeze({ budgetMs: 10_000, handshakeTimeoutMs: 10_000 });
    scope.release();
    await scope.settled();
    const [record] = scope.records();
    if (record === undefined) throw new Error('Expected a record of the VM but received none');
    const { clockLagBeforeNs, clockLagAfterNs, clockBracketNs, syncedBy } = record;
    pausedNs += clockLagBeforeNs;
    widestNs = Math.max(widestNs, clockBracketNs);
    // A clock that an earlier bracket has left ahead by more than the pause since is not stepped back, but slewed.
    const boundNs = syncedBy === 'step' ? clockBracketNs : widestNs;
    expect(Math.abs(clockLagAfterNs)).toBeLessThanOrEqual(boundNs + RESOLUTION_NS);
  }
  // By how much the clock would lag had nothing been synchronised.
  expect(pausedNs).toBeGreaterThan(widestNs);
});

it('control: without synchronisation the lag is the sum of the pauses', { timeout: 120_000 }, async () => {
  const { host: started, vms } = await runningHost(['kv-store']);
  host = started;
  const [vm] = vms;
  const firstNs = vm?.stats().clock.lagNs ?? Number.NaN;
  const before = vm?.stats().clock.pausedTotalNs ?? Number.NaN;
  for (let count = 0; count < 5; count += 1) {
    await using scope = host.freeze({ clockSync: { mode: 'off' } });
    await new Promise((resolve) => setTimeout(resolve, 40));
    scope.release();
  }
  const pausedNs = (vm?.stats().clock.pausedTotalNs ?? Number.NaN) - before;
  const lagNs = (vm?.stats().clock.lagNs ?? Number.NaN) - firstNs;
  expect(pausedNs).toBeGreaterThan(150e6);
  expect(Math.abs(lagNs - pausedNs)).toBeLessThan(pausedNs / 20);
});
