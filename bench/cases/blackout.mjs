// P4: how long a guest stands still when nothing is done to it, for any size of RAM; and with a full digest of it.
import { createVm, FREEZE_OPTIONS, GIB, MIB } from '../addon.mjs';
import { LatencySeries } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';
import { busyGap } from '../wait.mjs';

const SIZES = [64 * MIB, 256 * MIB, GIB, 4 * GIB, 8 * GIB];
/** Reading RAM makes it present, so the digest is measured where that is modest. */
const DIGEST_BYTES_MAX = GIB;

const sizeName = (bytes) => (bytes >= GIB ? `${bytes / GIB} GiB` : `${bytes / MIB} MiB`);

async function standstill(addon, vm, during) {
  const freeze = addon.freeze([vm], FREEZE_OPTIONS);
  await during?.();
  freeze.release();
  let [record] = freeze.records();
  for (let i = 0; record.resumedAtNs === 0n; i++) {
    if (i > 100) await new Promise((resolve) => setTimeout(resolve, 1));
    [record] = freeze.records();
  }
  return {
    // From the request to the first step, and what of it lies beyond the pause itself.
    wholeNs: Number(record.resumedAtNs - record.requestedAtNs),
    beyondPauseNs: Number(record.resumedAtNs - record.observedAtNs),
  };
}

export const blackout = {
  name: 'blackout',
  promise: 'P4',
  summary: 'freeze and release with no patches and no proof, 64 MiB to 8 GiB; beside it with a full digest',
  async run({ addon, quick, freeBytes }) {
    const rounds = quick ? 3 : 10;
    const perRound = quick ? 70 : 210;
    const sizes = SIZES.filter((bytes) => bytes <= (quick ? GIB : freeBytes * 2));
    const members = [];
    for (const ramBytes of sizes) {
      // The working set is the same for all; the size of the RAM is what may not matter.
      const vm = await createVm(addon, { ramBytes, prefault: false, params: { workingSet: 64 * MIB } });
      await vm.runUntil(2_000_000);
      members.push({
        ramBytes,
        vm,
        beyond: new LatencySeries(),
        whole: new LatencySeries(),
        digest: new LatencySeries(),
      });
    }
    await inTurns(
      rounds,
      members.map(({ ramBytes, vm, beyond, whole, digest }) => async ({ warmUp }) => {
        vm.resume();
        for (let i = 0; i < perRound; i++) {
          busyGap();
          const { wholeNs, beyondPauseNs } = await standstill(addon, vm);
          if (warmUp) continue;
          whole.record(wholeNs);
          beyond.record(beyondPauseNs);
        }
        if (ramBytes <= DIGEST_BYTES_MAX) {
          const { wholeNs } = await standstill(addon, vm, () => vm.digest());
          if (!warmUp) digest.record(wholeNs);
        }
        vm.pause(1e9);
      }),
    );
    for (const { vm } of members) vm.close();
    const smallest = members[0].beyond.summary();
    return members.map(({ ramBytes, beyond, whole, digest }) =>
      caseResult({
        name: `blackout ${sizeName(ramBytes)}`,
        promise: 'P4',
        ours: beyond.summary(),
        limit:
          ramBytes === sizes[0] ? null : { name: `the same at ${sizeName(sizes[0])} (flat: 1)`, summary: smallest },
        target: { text: 'p99 ≤ 50 µs beyond the pause', atMost: { p99: 50_000 } },
        details: {
          requestToFirstStep: whole.summary(),
          ...(digest.samples > 0 && { withFullDigest: digest.summary() }),
        },
      }),
    );
  },
};
