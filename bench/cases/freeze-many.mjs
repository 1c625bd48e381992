// P5: one call that halts a whole host, from the first request to the last halt seen.
import { createVm, FREEZE_OPTIONS, MIB } from '../addon.mjs';
import { LatencySeries } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';
import { sleep } from '../wait.mjs';

const nsBetween = (from, to) => Number(to - from);
/** So long that most guests have had a turn on the reference machine's two CPUs. */
const MS_PER_GUEST = 2;

async function freezeMany(addon, limits, count, { rounds, perRound, targetMs }) {
  const vms = await Promise.all(
    Array.from({ length: count }, (_, i) => createVm(addon, { name: `bench-${i}`, ramBytes: MIB, prefault: false })),
  );
  const options = { ...FREEZE_OPTIONS, budgetNs: 600e9, handshakeTimeoutNs: 30e9 };
  const ours = new LatencySeries();
  const seen = new LatencySeries();
  const releases = new LatencySeries();
  const theirs = new LatencySeries();
  let freeze = null;
  await inTurns(rounds, [
    async ({ warmUp }) => {
      for (let i = 0; i < perRound; i++) {
        if (freeze !== null) {
          freeze.release();
          const releasedAtNs = freeze.records().map((record) => record.releasedAtNs);
          if (!warmUp) releases.record(nsBetween(releasedAtNs[0], releasedAtNs.at(-1)));
        } else {
          for (const vm of vms) vm.start();
        }
        await sleep(count * MS_PER_GUEST);
        const from = process.hrtime.bigint();
        // The last freeze of a round stays, so that the guests are out of the others' way.
        freeze = addon.freeze(vms, options);
        const jsNs = nsBetween(from, process.hrtime.bigint());
        if (warmUp) continue;
        const records = freeze.records();
        seen.record(jsNs);
        ours.record(nsBetween(records[0].requestedAtNs, records.at(-1).observedAtNs));
      }
    },
    async ({ warmUp }) => {
      const crowd = limits && (await limits.ask('handshake-many', count, perRound));
      if (crowd && !warmUp) theirs.recordAll(crowd.haltNs);
    },
  ]);
  for (const vm of vms) vm.close();
  return caseResult({
    name: `freeze-many ${count}`,
    promise: 'P5',
    ours: ours.summary(),
    limit: limits && { name: `${count} threads, one word, no VMs`, summary: theirs.summary() },
    target: { text: `p50 ≤ ${targetMs} ms`, atMost: { p50: targetMs * 1e6 } },
    details: { asJavaScriptSeesIt: seen.summary(), firstToLastRelease: releases.summary() },
  });
}

export const freezeManyCase = {
  name: 'freeze-many',
  promise: 'P5',
  summary: 'one freeze of 100 and of 1,000 busy VMs, a thread each; limit: as many bare threads',
  async run({ addon, limits, quick }) {
    const results = [
      await freezeMany(addon, limits, 100, { rounds: quick ? 1 : 6, perRound: quick ? 3 : 8, targetMs: 1 }),
    ];
    // A thousand busy threads take half a minute a sample to come round on two CPUs.
    if (!quick) results.push(await freezeMany(addon, limits, 1000, { rounds: 2, perRound: 3, targetMs: 10 }));
    return results;
  },
};
