// P7: a digest of all of RAM by reading only what was written since the last one. What a maintenance does inside its
// freeze, and what a snapshot does whose base was digested. Each is held against a full digest: it must be equal.
import { formatBytes } from '../../base/units.js';
import type { BenchCase, Side } from '../case.js';
import { createWriter, differentialPlan, dirty, freeSnapshots } from '../guest.js';
import type { Series } from '../series.js';
import { timed } from '../wait.js';

function assertEqual(incremental: bigint, { value }: { readonly value: bigint }, what: string): void {
  if (incremental === value) return;
  const [expected, received] = [value, incremental].map((digest) => digest.toString(16));
  throw new Error(`Expected the full digest ${expected} for ${what} but received ${received}`);
}

export const digestIncremental: BenchCase = {
  name: 'digest-incremental',
  promise: 'P7',
  summary: 'digest of 1 GiB of which 10 MiB were written, equal to the full one; limit: reading 10 MiB',
  params: ['memoryBytes', 'dirtyBytes'],
  seconds: 25,
  async run({ addon, limits, quick, params, latencies, inTurns }) {
    const { ramBytes, dirtyBytes, dirtyMib, pages, rounds, perRound } = differentialPlan({ quick, params });
    const inFreeze = latencies();
    const ofSnapshot = latencies();
    const full = latencies();
    const reading = latencies();
    let equal = 0;
    const vm = await createWriter(ramBytes);
    const proveOnce = async (isChecked: boolean) => {
      const proof = await addon.prepareProof(vm, addon.createProgress());
      await dirty(vm, pages);
      const { ns } = await timed(() => proof.atHalt());
      if (isChecked) {
        const { digestBefore } = await proof.finish(addon.createProgress());
        const whole = await timed(() => vm.digest());
        assertEqual(digestBefore, whole.value, 'the incremental digest of a freeze');
        full.record(whole.ns);
        equal += 1;
      }
      await proof.close();
      return ns;
    };
    const snapshotOnce = async (isChecked: boolean) => {
      await dirty(vm, pages);
      const { snapshot } = await vm.snapshot(false, addon.createProgress());
      const { value, ns } = await timed(() => snapshot.digest(addon.createProgress()));
      if (isChecked) {
        assertEqual(value, await vm.digest(), 'the digest of a snapshot');
        equal += 1;
      }
      return ns;
    };
    const side =
      (once: (isChecked: boolean) => Promise<number>, series: Series): Side =>
      async ({ warmUp }) => {
        for (let i = 0; i < perRound; i++) {
          if (i % 10 === 0) await freeSnapshots();
          // The first of a round reads what the other side has written meanwhile.
          const ns = await once(i === 0);
          if (!warmUp && i > 0) series.record(ns);
        }
      };
    await inTurns(rounds, [
      side(proveOnce, inFreeze),
      side(snapshotOnce, ofSnapshot),
      async ({ warmUp }) => {
        for (let i = 0; i < perRound && limits !== null; i++) {
          const { elapsedNs } = await limits.ask('read', 1, dirtyMib);
          if (!warmUp) reading.record(elapsedNs);
        }
      },
    ]);
    vm.close();
    const draft = (kind: string, ours: Series) => ({
      title: `digest-incremental ${kind}, ${formatBytes(dirtyBytes)} of ${formatBytes(ramBytes)}`,
      params: { ramBytes, dirtyBytes },
      ours,
      limit: { name: `reading ${formatBytes(dirtyBytes)}, one thread`, series: reading },
      baseline: { name: 'a full digest', series: full },
      target: { text: 'p50 ≤ 2 ms', atMost: { p50: 2e6 } },
      notes: [`held against full digests, once a round each: equal in all ${equal}`],
    });
    return [draft('in a freeze', inFreeze), draft('of a snapshot', ofSnapshot)];
  },
};
