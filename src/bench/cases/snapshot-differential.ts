// P10: a snapshot of a halted VM that has written 10 MiB since the last one, from the call to its result: the guest
// must stand still as long.
import { messageOf } from '../../base/errors.js';
import { formatBytes, MIB } from '../../base/units.js';
import type { BenchCase } from '../case.js';
import { createWriter, differentialPlan, dirty, freeSnapshots } from '../guest.js';
import { timed } from '../wait.js';

/** Arming write protection of 1 GiB takes milliseconds. */
const KERNEL_SAMPLES = 5;

export const snapshotDifferential: BenchCase = {
  name: 'snapshot-diff',
  promise: 'P10',
  summary: 'a snapshot 10 MiB after the last one; limit: memcpy of 10 MiB, peer: dirty pages by the kernel',
  params: ['memoryBytes', 'dirtyBytes'],
  seconds: 20,
  async run({ addon, limits, quick, params, latencies, inTurns }) {
    const { ramBytes, dirtyBytes, dirtyMib, pages, rounds, perRound } = differentialPlan({ quick, params });
    const threads = addon.engineInfo().poolThreads;
    const ours = latencies();
    const inTheEngine = latencies();
    const limit = latencies();
    const kernel = { tracking: latencies(), fault: latencies() };
    let refused: string | null = null;
    const vm = await createWriter(ramBytes);
    await inTurns(rounds, [
      async ({ warmUp }) => {
        for (let i = 0; i < perRound; i++) {
          if (i % 10 === 0) await freeSnapshots();
          await dirty(vm, pages);
          const { value, ns } = await timed(() => vm.snapshot(false, addon.createProgress()));
          if (warmUp) continue;
          ours.record(ns);
          inTheEngine.record(value.cost.copyNs);
        }
      },
      async ({ warmUp }) => {
        for (let i = 0; i < perRound && limits !== null; i++) {
          const { elapsedNs } = await limits.ask('copy', threads, dirtyMib);
          if (!warmUp) limit.record(elapsedNs);
        }
      },
      async ({ warmUp }) => {
        if (refused !== null || limits === null) return;
        try {
          const answer = await limits.ask('write-protect', KERNEL_SAMPLES, ramBytes / MIB, pages);
          if (warmUp) return;
          kernel.fault.recordAll(answer.faultNs);
          kernel.tracking.recordAll(answer.armNs.map((ns, i) => ns + (answer.scanNs[i] ?? 0)));
        } catch (error) {
          refused = messageOf(error);
        }
      },
    ]);
    vm.close();
    await freeSnapshots();
    return [
      {
        title: `snapshot-diff ${formatBytes(dirtyBytes)} of ${formatBytes(ramBytes)}`,
        params: { ramBytes, dirtyBytes },
        ours,
        limit: { name: `memcpy of ${formatBytes(dirtyBytes)}, ${threads} threads`, series: limit },
        peers: [
          {
            name: 'kernel: write protection, arming and scan',
            series: kernel.tracking,
            differs: 'which pages are dirty, without the copy of them that ours makes',
          },
        ],
        target: { text: 'p50 ≤ 2 ms', atMost: { p50: 2e6 } },
        notes: refused === null ? [] : [`the kernel’s write protection was not measured: ${refused}`],
        details: { inTheEngine: inTheEngine.summary(), kernelFaultAPage: kernel.fault.summary() },
      },
    ];
  },
};
