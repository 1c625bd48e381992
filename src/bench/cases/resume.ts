// P3: from the release to the guest's first step, by the engine's own stamps: of a guest that still spins at its
// gate, and of one that has gone to sleep there.
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '../../base/units.js';
import { addon } from '../../native/addon.js';
import type { NativeFreeze, NativeFreezeRecord, NativeVm } from '../../native/contract.js';
import type { BenchCase } from '../case.js';
import { createVm, FREEZE_OPTIONS, HANDSHAKE_TIMEOUT_NS } from '../engine.js';
import { busyGap, busyWaitUs } from '../wait.js';

const SPINS_FOR_NS = 50_000n;
const LOOKS_MAX = 10_000;

/** The guest's own stamp may come after the call returned: a woken thread takes its time. */
export async function resumedRecordOf(freeze: NativeFreeze): Promise<NativeFreezeRecord> {
  for (let i = 0; i < LOOKS_MAX; i++) {
    const [record] = freeze.records();
    if (record !== undefined && record.resumedAtNs !== 0n) return record;
    if (i > 100) await sleep(1);
  }
  throw new Error('Expected the guest to run again within 10 s of its release but it did not');
}

async function resumeOnce(vm: NativeVm, pass?: () => unknown) {
  const freeze = addon.freeze([vm], FREEZE_OPTIONS);
  await pass?.();
  freeze.release();
  const { haltedAtNs, releasedAtNs, resumedAtNs } = await resumedRecordOf(freeze);
  return { resumeNs: Number(resumedAtNs - releasedAtNs), stoodNs: releasedAtNs - haltedAtNs };
}

export const resume: BenchCase = {
  name: 'resume',
  promise: 'P3',
  summary: 'release → first guest step, spinning and parked; limits: two threads, futex wake',
  params: ['memoryBytes', 'program'],
  seconds: 15,
  async run({ limits, quick, params, latencies, inTurns }) {
    const rounds = quick ? 5 : 20;
    const perRound = { spinning: quick ? 220 : 520, parked: quick ? 30 : 60 };
    const spinning = { ours: latencies(), limit: latencies() };
    const parked = { ours: latencies(), slept: latencies(), limit: latencies() };
    let tooLong = 0;
    const { program = 'page-writer', memoryBytes: ramBytes = 64 * MIB } = params;
    const vm = await createVm({ program, ramBytes });
    vm.start();
    await inTurns(rounds, [
      async ({ warmUp }) => {
        vm.resume();
        for (let i = 0; i < perRound.spinning; i++) {
          busyGap();
          const { resumeNs, stoodNs } = await resumeOnce(vm);
          if (warmUp) continue;
          if (stoodNs < SPINS_FOR_NS) spinning.ours.record(resumeNs);
          else tooLong += 1;
        }
        for (let i = 0; i < perRound.parked; i++) {
          busyGap();
          // With the releasing CPU awake throughout, then with one that has slept as well.
          const awake = await resumeOnce(vm, () => busyWaitUs(1500));
          const slept = await resumeOnce(vm, () => sleep(2));
          if (warmUp) continue;
          parked.ours.record(awake.resumeNs);
          parked.slept.record(slept.resumeNs);
        }
        vm.pause(HANDSHAKE_TIMEOUT_NS);
      },
      async ({ warmUp }) => {
        const pair = await limits?.ask('handshake', perRound.spinning);
        const wake = await limits?.ask('wake', perRound.parked);
        if (warmUp) return;
        spinning.limit.recordAll(pair?.resumeNs ?? []);
        parked.limit.recordAll(wake?.resumeNs ?? []);
      },
    ]);
    vm.close();
    const leftOut = `${tooLong} pauses took longer than 50 µs and are left out: the guest may have slept`;
    return [
      {
        title: 'resume spinning',
        params: { program, ramBytes },
        ours: spinning.ours,
        limit: { name: 'release of a spinning thread', series: spinning.limit },
        target: { text: 'p50 ≤ 1 µs', atMost: { p50: 1000 } },
        notes: tooLong > 0 ? [leftOut] : [],
      },
      {
        title: 'resume parked',
        params: { program, ramBytes },
        ours: parked.ours,
        limit: { name: 'futex wake of a parked thread', series: parked.limit },
        target: { text: 'p50 ≤ 20 µs', atMost: { p50: 20_000 } },
        details: { releaserHadSleptToo: parked.slept.summary() },
      },
    ];
  },
};
