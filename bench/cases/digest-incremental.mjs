// P7: a digest of all of RAM by reading only what was written since the last one. What a maintenance does inside its
// freeze, and what a snapshot does whose base was digested. Each is held against a full digest: it must be equal.
import { GIB, MIB } from '../addon.mjs';
import { createWriter, dirty, freeSnapshots, PAGE_BYTES, sizeName, timed } from '../guest.mjs';
import { LatencySeries } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';

const DIRTY_BYTES = 10 * MIB;
const DIRTY_PAGES = DIRTY_BYTES / PAGE_BYTES;

function assertEqual(incremental, { value }, what) {
  if (incremental === value) return;
  throw new Error(
    `Expected the full digest ${value.toString(16)} for ${what} but received ${incremental.toString(16)}`,
  );
}

export const digestIncremental = {
  name: 'digest-incremental',
  promise: 'P7',
  summary: 'digest of 1 GiB of which 10 MiB were written, equal to the full one; limit: reading 10 MiB',
  async run({ addon, limits, quick }) {
    const ramBytes = quick ? 128 * MIB : GIB;
    const rounds = quick ? 3 : 20;
    const perRound = quick ? 10 : 52;
    const inFreeze = new LatencySeries();
    const ofSnapshot = new LatencySeries();
    const full = new LatencySeries();
    const reading = new LatencySeries();
    const vm = await createWriter(addon, ramBytes);
    const proveOnce = async (isChecked) => {
      const proof = await addon.prepareProof(vm, addon.createProgress());
      await dirty(vm, DIRTY_PAGES);
      const { ns } = await timed(() => proof.atHalt());
      if (isChecked) {
        const { digestBefore } = await proof.finish(addon.createProgress());
        const whole = await timed(() => vm.digest());
        assertEqual(digestBefore, whole.value, 'the incremental digest of a freeze');
        full.record(whole.ns);
      }
      await proof.close();
      return ns;
    };
    const snapshotOnce = async (isChecked) => {
      await dirty(vm, DIRTY_PAGES);
      const { snapshot } = await vm.snapshot(false, addon.createProgress());
      const { value, ns } = await timed(() => snapshot.digest(addon.createProgress()));
      if (isChecked) assertEqual(value, await vm.digest(), 'the digest of a snapshot');
      return ns;
    };
    const side =
      (once, series) =>
      async ({ warmUp }) => {
        for (let i = 0; i < perRound; i++) {
          if (i % 10 === 0) await freeSnapshots();
          // The first of a round reads what the other side has written meanwhile.
          const ns = await once(i === 0);
          if (!warmUp && i > 0) series.record(ns);
        }
      };
    const theirs = async ({ warmUp }) => {
      for (let i = 0; i < perRound; i++) {
        const { elapsedNs } = await limits.ask('read', 1, DIRTY_BYTES / MIB);
        if (!warmUp) reading.record(elapsedNs);
      }
    };
    const ours = [side(proveOnce, inFreeze), side(snapshotOnce, ofSnapshot)];
    await inTurns(rounds, limits ? [...ours, theirs] : ours);
    vm.close();
    const result = (name, series) =>
      caseResult({
        name: `digest-incremental ${name}, 10 MiB of ${sizeName(ramBytes)}`,
        promise: 'P7',
        ours: series.summary(),
        limit: limits && { name: 'reading 10 MiB, one thread', summary: reading.summary() },
        peer: { name: 'a full digest', summary: full.summary() },
        target: { text: 'p50 ≤ 2 ms', atMost: { p50: 2e6 } },
        notes: [`held against a full digest once a round: equal in ${rounds + 1} of ${rounds + 1}`],
      });
    return [result('in a freeze', inFreeze), result('of a snapshot', ofSnapshot)];
  },
};
