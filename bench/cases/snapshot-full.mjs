// P8: a complete snapshot of a halted VM, all pages of which are dirty: into pages that the snapshots of before have
// left warm, and into pages that the kernel has yet to give, as a first snapshot is.
import { MIB } from '../addon.mjs';
import { createWriter, dirty, freeSnapshots, PAGE_BYTES, sizeName } from '../guest.mjs';
import { summarise } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';

const TARGET_SHARE = 0.8;

export const snapshotFull = {
  name: 'snapshot-full',
  promise: 'P8',
  summary: 'bandwidth of a full snapshot of a halted VM, into warm and into cold pages; limit: memcpy into such',
  async run({ addon, limits, quick }) {
    // As much as the store keeps warm for the next snapshot.
    const ramBytes = quick ? 64 * MIB : 256 * MIB;
    const rounds = quick ? 2 : 20;
    const threads = addon.engineInfo().poolThreads;
    const gigabytesASecond = { warm: [], cold: [], copyWarm: [], copyCold: [] };
    const keep = (list, elapsedNs, warmUp) => {
      if (!warmUp) list.push(ramBytes / elapsedNs);
    };
    const snapshotOnce = async (vm) => {
      await freeSnapshots();
      const { cost } = await vm.snapshot(false, addon.createProgress());
      if (cost.pagesCopied !== ramBytes / PAGE_BYTES)
        throw new Error(`Expected a copy of all ${ramBytes / PAGE_BYTES} pages but received ${cost.pagesCopied}`);
      return cost.copyNs;
    };
    const ours = async ({ warmUp }) => {
      const vm = await createWriter(addon, ramBytes);
      keep(gigabytesASecond.cold, await snapshotOnce(vm), warmUp);
      // The VM holds on to its last snapshot's pages, so those of the first are free from the second on.
      for (let i = 0; i < 3; i++) {
        await dirty(vm, ramBytes / PAGE_BYTES);
        const copyNs = await snapshotOnce(vm);
        if (i > 0) keep(gigabytesASecond.warm, copyNs, warmUp);
      }
      vm.close();
      await freeSnapshots();
    };
    const theirs = async ({ warmUp }) => {
      const fresh = await limits.ask('copy-fresh', threads, ramBytes / MIB);
      keep(gigabytesASecond.copyCold, fresh.elapsedNs, warmUp);
      for (let i = 0; i < 2; i++) {
        const { elapsedNs } = await limits.ask('copy', threads, ramBytes / MIB);
        keep(gigabytesASecond.copyWarm, elapsedNs, warmUp);
      }
    };
    await inTurns(rounds, limits ? [ours, theirs] : [ours]);
    const result = (kind, limitName, share) => {
      const own = summarise(gigabytesASecond[kind]);
      const limit = limits && summarise(gigabytesASecond[kind === 'warm' ? 'copyWarm' : 'copyCold']);
      return caseResult({
        name: `snapshot-full ${sizeName(ramBytes)} into ${kind} pages`,
        promise: 'P8',
        unit: 'GB/s',
        ours: own,
        limit: limit && { name: limitName, summary: limit },
        target: share === null ? undefined : { text: '≥ 80 % of memcpy' },
        met: limit && share !== null ? own.p50 / limit.p50 >= share : null,
        details: { threads },
      });
    };
    return [
      result('warm', `memcpy into warm pages, ${threads} threads`, TARGET_SHARE),
      result('cold', `memcpy into untouched pages, ${threads} threads`, null),
    ];
  },
};
