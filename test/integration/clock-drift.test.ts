import type { Host } from 'standstill';
import { afterEach, expect, it } from 'vitest';
import { runningHost } from '../fixtures/hosts.js';

let host: Host;
afterEach(() => host.close());

const FREEZES = 1000;

it('1,000 freezes: what is left of each pause after its synchronisation does not add up', {
  timeout: 120_000,
}, async () => {
  host = (await runningHost(['kv-store'])).host;
  let pausedNs = 0;
  let lagNs = 0;
  for (let count = 0; count < FREEZES; count += 1) {
    await using scope = host.freeze({ budgetMs: 10_000, handshakeTimeoutMs: 10_000 });
    scope.release();
    await scope.settled();
    const [record] = scope.records();
    pausedNs += record?.clockLagBeforeNs ?? Number.NaN;
    lagNs = record?.clockLagAfterNs ?? Number.NaN;
  }
  // By how much the clock would lag had nothing been synchronised, and by how much it does.
  expect(pausedNs).toBeGreaterThan(0);
  expect(Math.abs(lagNs)).toBeLessThan(pausedNs / 10);
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
