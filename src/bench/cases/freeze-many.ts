// P5: one call that halts a whole host, from the first request to the last halt seen.
import { setTimeout as sleep } from 'node:timers/promises';
import { MIB } from '../../base/units.js';
import { addon } from '../../native/addon.js';
import type { NativeFreeze } from '../../native/contract.js';
import type { BenchCase, BenchContext, MetricDraft } from '../case.js';
import { createVm, FREEZE_OPTIONS } from '../engine.js';

/** So long that most guests have had a turn on the reference machine's two CPUs. */
const MS_PER_GUEST = 2;

interface Plan {
  readonly count: number;
  readonly rounds: number;
  readonly perRound: number;
  readonly targetMs: number | null;
}

async function freezeMany({ limits, latencies, inTurns }: BenchContext, plan: Plan): Promise<MetricDraft> {
  const { count, rounds, perRound, targetMs } = plan;
  const vms = await Promise.all(
    Array.from({ length: count }, (_, i) => createVm({ name: `bench-${i}`, ramBytes: MIB, prefault: false })),
  );
  const options = { ...FREEZE_OPTIONS, budgetNs: 600e9, handshakeTimeoutNs: 30e9 };
  const ours = latencies();
  const seen = latencies();
  const releases = latencies();
  const theirs = latencies();
  let freeze: NativeFreeze | null = null;
  await inTurns(rounds, [
    async ({ warmUp }) => {
      for (let i = 0; i < perRound; i++) {
        if (freeze !== null) {
          freeze.release();
          const records = freeze.records();
          if (!warmUp) releases.record(Number((records.at(-1)?.releasedAtNs ?? 0n) - (records[0]?.releasedAtNs ?? 0n)));
        } else {
          for (const vm of vms) vm.start();
        }
        await sleep(count * MS_PER_GUEST);
        const from = process.hrtime.bigint();
        // The last freeze of a round stays, so that the guests are out of the others' way.
        freeze = addon.freeze(vms, options);
        const jsNs = Number(process.hrtime.bigint() - from);
        if (warmUp) continue;
        const records = freeze.records();
        seen.record(jsNs);
        ours.record(Number((records.at(-1)?.observedAtNs ?? 0n) - (records[0]?.requestedAtNs ?? 0n)));
      }
    },
    async ({ warmUp }) => {
      const crowd = await limits?.ask('handshake-many', count, perRound);
      if (!warmUp) theirs.recordAll(crowd?.haltNs ?? []);
    },
  ]);
  for (const vm of vms) vm.close();
  return {
    title: `freeze-many ${count}`,
    params: { vms: count },
    ours,
    limit: { name: `${count} threads, one word, no VMs`, series: theirs },
    ...(targetMs !== null && { target: { text: `p50 ≤ ${targetMs} ms`, atMost: { p50: targetMs * 1e6 } } }),
    details: { asJavaScriptSeesIt: seen.summary(), firstToLastRelease: releases.summary() },
  };
}

export const freezeManyCase: BenchCase = {
  name: 'freeze-many',
  promise: 'P5',
  summary: 'one freeze of 100 and of 1,000 busy VMs, a thread each; limit: as many bare threads',
  params: ['vms'],
  seconds: 60,
  async run(context) {
    const { quick, params } = context;
    const few = { rounds: quick ? 1 : 6, perRound: quick ? 3 : 8 };
    if (params.vms !== undefined) return [await freezeMany(context, { count: params.vms, ...few, targetMs: null })];
    const drafts = [await freezeMany(context, { count: 100, ...few, targetMs: 1 })];
    // A thousand busy threads take half a minute a sample to come round on two CPUs.
    if (!quick) drafts.push(await freezeMany(context, { count: 1000, rounds: 2, perRound: 3, targetMs: 10 }));
    return drafts;
  },
};
