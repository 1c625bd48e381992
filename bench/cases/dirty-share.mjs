// What a snapshot and a comparison cost against the share of RAM that was written: both should be in proportion.
import { MIB } from '../addon.mjs';
import { createWriter, dirty, freeSnapshots, PAGE_BYTES, sizeName, timed } from '../guest.mjs';
import { LatencySeries } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';

const PERCENTS = [1, 2, 5, 10, 25, 50, 100];

export const dirtyShare = {
  name: 'dirty-share',
  promise: '-',
  summary: 'cost of a differential snapshot and of a diff against 1 to 100 % of dirty pages; limit: memcpy, read',
  async run({ addon, limits, quick }) {
    const ramBytes = quick ? 64 * MIB : 256 * MIB;
    const rounds = quick ? 2 : 20;
    const percents = quick ? [1, 10, 100] : PERCENTS;
    const threads = addon.engineInfo().poolThreads;
    const vm = await createWriter(addon, ramBytes);
    const members = percents.map((percent) => ({
      percent,
      pages: Math.round((ramBytes / PAGE_BYTES) * (percent / 100)),
      snapshot: new LatencySeries(),
      diff: new LatencySeries(),
      copy: new LatencySeries(),
      read: new LatencySeries(),
    }));
    const progress = () => addon.createProgress();
    let last = (await vm.snapshot(false, progress())).snapshot;
    const sides = members.map((member) => async ({ warmUp }) => {
      await freeSnapshots();
      await dirty(vm, member.pages);
      const taken = await timed(() => vm.snapshot(false, progress()));
      const { snapshot } = taken.value;
      const compared = await timed(() => last.diff(snapshot, progress()));
      const differing = compared.value.reduce((sum, { pageCount }) => sum + pageCount, 0);
      if (differing !== member.pages)
        throw new Error(`Expected ${member.pages} pages to differ but received ${differing}`);
      last = snapshot;
      if (!warmUp) {
        member.snapshot.record(taken.ns);
        member.diff.record(compared.ns);
      }
      if (limits === null) return;
      // Chunks of 256 KiB are the least that the program copies.
      const mib = Math.max(1, Math.round((member.pages * PAGE_BYTES) / MIB));
      const copied = await limits.ask('copy', threads, mib);
      const read = await limits.ask('read', threads, mib);
      if (warmUp) return;
      member.copy.record(copied.elapsedNs);
      member.read.record(2 * read.elapsedNs);
    });
    await inTurns(rounds, sides);
    vm.close();
    const result = (kind, title, limitName, { percent, pages, [kind]: series, copy, read }) =>
      caseResult({
        name: `dirty-share ${kind}, ${percent} % of ${sizeName(ramBytes)}`,
        ours: series.summary(),
        limit: limits && { name: limitName, summary: (kind === 'snapshot' ? copy : read).summary() },
        chart: { title, label: `${percent} % (${pages} pages)` },
      });
    return [
      ...members.map((member) =>
        result('snapshot', 'a differential snapshot by share of dirty pages', 'memcpy of as many bytes', member),
      ),
      ...members.map((member) =>
        result('diff', 'diff of two snapshots by share of pages that differ', 'reading as many bytes of both', member),
      ),
    ];
  },
};
