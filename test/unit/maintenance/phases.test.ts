import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FreezeRecord } from '../../../src/maintenance/freeze-scope.js';
import { blackoutOf, type Cuts, phasesOf, untilNow } from '../../../src/maintenance/phases.js';

const record = (stamps: Partial<FreezeRecord>): FreezeRecord => ({
  name: 'vm',
  kind: 'emulated',
  wasRunning: true,
  requestedAtNs: 100n,
  haltedAtNs: 110n,
  observedAtNs: 115n,
  releasedAtNs: 1000n,
  resumedAtNs: 1020n,
  syncedAtNs: 1100n,
  stepsAtHalt: 1,
  stepsAtRelease: 1,
  clockLagBeforeNs: 0,
  clockLagAfterNs: 0,
  clockBracketNs: 0,
  syncedBy: 'step',
  resumedBy: 'caller',
  ...stamps,
});
const allHaltedAtNs = 130n;
const cuts: Cuts = {
  openingDigestEndAtNs: 300n,
  patchesEndAtNs: 800n,
  closingDigestEndAtNs: 990n,
};

it('cuts a blackout into its parts', () => {
  expect(phasesOf(record({}), allHaltedAtNs, cuts)).toEqual({
    requestNs: 10,
    haltNs: 20,
    digestNs: 170 + 190,
    patchNs: 500,
    resumeNs: 30,
    syncNs: 80,
  });
  expect(blackoutOf(record({}))).toBe(910);
});

it('ends at the release what the deadline cut short', () => {
  const released = record({ releasedAtNs: 400n, resumedAtNs: 410n, syncedAtNs: 0n, resumedBy: 'deadline' });
  expect(phasesOf(released, allHaltedAtNs, cuts)).toEqual({
    requestNs: 10,
    haltNs: 20,
    digestNs: 170,
    patchNs: 100,
    resumeNs: 10,
    syncNs: 0,
  });
});

it('has no share for digests where none was taken', () => {
  const none = { ...cuts, openingDigestEndAtNs: undefined, closingDigestEndAtNs: cuts.patchesEndAtNs };
  expect(phasesOf(record({}), allHaltedAtNs, none)).toMatchObject({ digestNs: 0, patchNs: 670, resumeNs: 220 });
});

it('gives no blackout to a VM that stood still before', () => {
  const still = record({ wasRunning: false, resumedAtNs: 0n });
  expect(blackoutOf(still)).toBe(0);
  expect(Object.values(phasesOf(still, allHaltedAtNs, cuts))).toEqual([0, 0, 0, 0, 0, 0]);
});

it('counts a blackout that has no end until now', () => {
  expect(blackoutOf(untilNow(record({ releasedAtNs: 0n, resumedAtNs: 0n }), 5000n))).toBe(4890);
});

describe('for any stamps', () => {
  const length = fc.bigInt(0n, 10n ** 12n);

  it('the parts add up to the blackout, and none is negative', () => {
    fc.assert(
      fc.property(
        fc.array(length, { minLength: 6, maxLength: 6 }),
        length,
        length,
        length,
        (gaps, freeze, wake, lag) => {
          const [toHalt = 0n, toAll = 0n, toOpening = 0n, toPatched = 0n, toClosed = 0n, syncs = 0n] = gaps;
          const haltedAtNs = 100n + toHalt;
          const allHaltedAtNs = haltedAtNs + toAll;
          const openingDigestEndAtNs = allHaltedAtNs + toOpening;
          const patchesEndAtNs = openingDigestEndAtNs + toPatched;
          const closingDigestEndAtNs = patchesEndAtNs + toClosed;
          // The deadline may strike at any time after the halt, before all were seen halted too.
          const releasedAtNs = haltedAtNs + freeze;
          const resumedAtNs = releasedAtNs + wake;
          const stamped = record({ haltedAtNs, releasedAtNs, resumedAtNs, syncedAtNs: releasedAtNs + lag + syncs });
          const phases = phasesOf(stamped, allHaltedAtNs, {
            openingDigestEndAtNs,
            patchesEndAtNs,
            closingDigestEndAtNs,
          });
          expect(phases.haltNs + phases.digestNs + phases.patchNs + phases.resumeNs).toBe(blackoutOf(stamped));
          expect(Math.min(...Object.values(phases))).toBeGreaterThanOrEqual(0);
        },
      ),
    );
  });
});
