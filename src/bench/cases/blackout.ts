// P4: how long a guest stands still when nothing is done to it, for any size of RAM; and with a full digest of it.
import { formatBytes, GIB, MIB } from '../../base/units.js';
import { addon } from '../../native/addon.js';
import type { NativeVm } from '../../native/contract.js';
import type { BenchCase } from '../case.js';
import { createVm, FREEZE_OPTIONS, HANDSHAKE_TIMEOUT_NS } from '../engine.js';
import { busyGap } from '../wait.js';
import { resumedRecordOf } from './resume.js';

const SIZES = [64 * MIB, 256 * MIB, GIB, 4 * GIB, 8 * GIB];
/** Reading RAM makes it present, so the digest is measured where that is modest. */
const DIGEST_BYTES_MAX = GIB;
/** The working set is the same for all; the size of the RAM is what may not matter. */
const WORKING_SET_BYTES = 64 * MIB;

async function standstill(vm: NativeVm, during?: () => unknown) {
  const freeze = addon.freeze([vm], FREEZE_OPTIONS);
  await during?.();
  freeze.release();
  const record = await resumedRecordOf(freeze);
  return {
    // From the request to the first step, and what of it lies beyond the pause itself.
    wholeNs: Number(record.resumedAtNs - record.requestedAtNs),
    beyondPauseNs: Number(record.resumedAtNs - record.observedAtNs),
  };
}

export const blackout: BenchCase = {
  name: 'blackout',
  promise: 'P4',
  summary: 'freeze and release with no patches and no proof, 64 MiB to 8 GiB; beside it with a full digest',
  params: ['memoryBytes'],
  seconds: 12,
  async run({ quick, freeBytes, params, latencies, inTurns }) {
    const rounds = quick ? 3 : 10;
    const perRound = quick ? 70 : 210;
    const fitting = SIZES.filter((bytes) => bytes <= (quick ? GIB : freeBytes * 2));
    const members = [];
    for (const ramBytes of params.memoryBytes === undefined ? fitting : [params.memoryBytes]) {
      const workingSet = Math.min(ramBytes, WORKING_SET_BYTES);
      const vm = await createVm({ ramBytes, prefault: false, params: { workingSet } });
      await vm.runUntil(2_000_000);
      members.push({ ramBytes, vm, beyond: latencies(), whole: latencies(), digest: latencies() });
    }
    await inTurns(
      rounds,
      members.map(({ ramBytes, vm, beyond, whole, digest }) => async ({ warmUp }: { warmUp: boolean }) => {
        vm.resume();
        for (let i = 0; i < perRound; i++) {
          busyGap();
          const { wholeNs, beyondPauseNs } = await standstill(vm);
          if (warmUp) continue;
          whole.record(wholeNs);
          beyond.record(beyondPauseNs);
        }
        if (ramBytes <= DIGEST_BYTES_MAX) {
          const { wholeNs } = await standstill(vm, () => vm.digest());
          if (!warmUp) digest.record(wholeNs);
        }
        vm.pause(HANDSHAKE_TIMEOUT_NS);
      }),
    );
    for (const { vm } of members) vm.close();
    const [smallest] = members;
    return members.map((member) => ({
      title: `blackout ${formatBytes(member.ramBytes)}`,
      params: { ramBytes: member.ramBytes },
      ours: member.beyond,
      baseline:
        smallest === undefined || member === smallest
          ? null
          : { name: `the same at ${formatBytes(smallest.ramBytes)} (flat: 1)`, series: smallest.beyond },
      target: { text: 'p99 ≤ 50 µs beyond the pause', atMost: { p99: 50_000 } },
      chart: { title: 'blackout beyond the pause by size of RAM', label: formatBytes(member.ramBytes) },
      details: { requestToFirstStep: member.whole.summary(), withFullDigest: member.digest.summary() },
    }));
  },
};
