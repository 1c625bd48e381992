// P8: a complete snapshot of a halted VM, all pages of which are dirty: into pages that the snapshots of before have
// left warm, and into pages that the kernel has yet to give, as a first snapshot is.
import { formatBytes, MIB, PAGE_BYTES } from '../../base/units.js';
import type { NativeVm } from '../../native/contract.js';
import type { BenchCase } from '../case.js';
import { createWriter, dirty, freeSnapshots } from '../guest.js';
import { shareTarget } from '../ratio.js';
import type { Series } from '../series.js';

export const snapshotFull: BenchCase = {
  name: 'snapshot-full',
  promise: 'P8',
  summary: 'bandwidth of a full snapshot of a halted VM, into warm and into cold pages; limit: memcpy into such',
  params: ['memoryBytes'],
  seconds: 15,
  async run({ addon, limits, quick, params, figures, inTurns }) {
    // As much as the store keeps warm for the next snapshot.
    const ramBytes = params.memoryBytes ?? (quick ? 64 * MIB : 256 * MIB);
    const pages = ramBytes / PAGE_BYTES;
    const rounds = quick ? 2 : 20;
    const threads = addon.engineInfo().poolThreads;
    const warm = { ours: figures(), limit: figures() };
    const cold = { ours: figures(), limit: figures() };
    const keep = (series: Series, elapsedNs: number, warmUp: boolean) => {
      if (!warmUp) series.record(ramBytes / elapsedNs);
    };
    const snapshotOnce = async (vm: NativeVm) => {
      await freeSnapshots();
      const { cost } = await vm.snapshot(false, addon.createProgress());
      if (cost.pagesCopied !== pages)
        throw new Error(`Expected a copy of all ${pages} pages but received ${cost.pagesCopied}`);
      return cost.copyNs;
    };
    await inTurns(rounds, [
      async ({ warmUp }) => {
        const vm = await createWriter(ramBytes);
        keep(cold.ours, await snapshotOnce(vm), warmUp);
        // The VM holds on to its last snapshot's pages, so those of the first are free from the second on.
        for (let i = 0; i < 3; i++) {
          await dirty(vm, pages);
          const copyNs = await snapshotOnce(vm);
          if (i > 0) keep(warm.ours, copyNs, warmUp);
        }
        vm.close();
        await freeSnapshots();
      },
      async ({ warmUp }) => {
        if (limits === null) return;
        const fresh = await limits.ask('copy-fresh', threads, ramBytes / MIB);
        keep(cold.limit, fresh.elapsedNs, warmUp);
        for (let i = 0; i < 2; i++) {
          const { elapsedNs } = await limits.ask('copy', threads, ramBytes / MIB);
          keep(warm.limit, elapsedNs, warmUp);
        }
      },
    ]);
    const shared = { unit: 'GB/s' as const, params: { ramBytes, threads } };
    return [
      {
        title: `snapshot-full ${formatBytes(ramBytes)} into warm pages`,
        ...shared,
        ours: warm.ours,
        limit: { name: `memcpy into warm pages, ${threads} threads`, series: warm.limit },
        target: shareTarget(0.8, warm.ours, warm.limit, 'memcpy'),
      },
      {
        title: `snapshot-full ${formatBytes(ramBytes)} into cold pages`,
        ...shared,
        ours: cold.ours,
        limit: { name: `memcpy into untouched pages, ${threads} threads`, series: cold.limit },
      },
    ];
  },
};
