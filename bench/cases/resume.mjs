// P3: from the release to the guest's first step, by the engine's own stamps: of a guest that still spins at its
// gate, and of one that has gone to sleep there.
import { createVm, FREEZE_OPTIONS, MIB } from '../addon.mjs';
import { LatencySeries } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';
import { busyGap, busyWaitUs, sleep } from '../wait.mjs';

const SPINS_FOR_NS = 50_000n;

/** The guest's own stamp may come after the call returned: a woken thread takes its time. */
async function recordOf(freeze) {
  for (let i = 0; i < 10_000; i++) {
    const [record] = freeze.records();
    if (record.resumedAtNs !== 0n) return record;
    if (i > 100) await sleep(1);
  }
  throw new Error('Expected the guest to run again within 10 s of its release but it did not');
}

async function resumeOnce(addon, vm, pass) {
  const freeze = addon.freeze([vm], FREEZE_OPTIONS);
  await pass?.();
  freeze.release();
  const { haltedAtNs, releasedAtNs, resumedAtNs } = await recordOf(freeze);
  return { resumeNs: Number(resumedAtNs - releasedAtNs), stoodNs: releasedAtNs - haltedAtNs };
}

export const resume = {
  name: 'resume',
  promise: 'P3',
  summary: 'release → first guest step, spinning and parked; limits: two threads, futex wake',
  async run({ addon, limits, quick }) {
    const rounds = quick ? 5 : 20;
    const perRound = { spinning: quick ? 220 : 520, parked: quick ? 30 : 60 };
    const spinning = { ours: new LatencySeries(), limit: new LatencySeries() };
    const parked = { ours: new LatencySeries(), slept: new LatencySeries(), limit: new LatencySeries() };
    let tooLong = 0;
    const vm = await createVm(addon, { ramBytes: 64 * MIB });
    vm.start();
    const ours = async ({ warmUp }) => {
      vm.resume();
      for (let i = 0; i < perRound.spinning; i++) {
        busyGap();
        const { resumeNs, stoodNs } = await resumeOnce(addon, vm);
        if (warmUp) continue;
        if (stoodNs < SPINS_FOR_NS) spinning.ours.record(resumeNs);
        else tooLong += 1;
      }
      for (let i = 0; i < perRound.parked; i++) {
        busyGap();
        // With the releasing CPU awake throughout, then with one that has slept as well.
        const awake = await resumeOnce(addon, vm, () => busyWaitUs(1500));
        const slept = await resumeOnce(addon, vm, () => sleep(2));
        if (warmUp) continue;
        parked.ours.record(awake.resumeNs);
        parked.slept.record(slept.resumeNs);
      }
      vm.pause(1e9);
    };
    const theirs = async ({ warmUp }) => {
      const pair = await limits.ask('handshake', perRound.spinning);
      const wake = await limits.ask('wake', perRound.parked);
      if (warmUp) return;
      spinning.limit.recordAll(pair.resumeNs);
      parked.limit.recordAll(wake.resumeNs);
    };
    await inTurns(rounds, limits ? [ours, theirs] : [ours]);
    vm.close();
    return [
      caseResult({
        name: 'resume spinning',
        promise: 'P3',
        ours: spinning.ours.summary(),
        limit: limits && { name: 'release of a spinning thread', summary: spinning.limit.summary() },
        target: { text: 'p50 ≤ 1 µs', atMost: { p50: 1000 } },
        notes:
          tooLong > 0 ? [`${tooLong} pauses took longer than 50 µs and are left out: the guest may have slept`] : [],
      }),
      caseResult({
        name: 'resume parked',
        promise: 'P3',
        ours: parked.ours.summary(),
        limit: limits && { name: 'futex wake of a parked thread', summary: parked.limit.summary() },
        target: { text: 'p50 ≤ 20 µs', atMost: { p50: 20_000 } },
        details: { releaserHadSleptToo: parked.slept.summary() },
      }),
    ];
  },
};
