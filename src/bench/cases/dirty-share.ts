// What a snapshot and a comparison cost against the share of RAM that was written: both should be in proportion.
import { formatBytes, MIB, PAGE_BYTES } from '../../base/units.js';
import type { BenchCase, MetricDraft } from '../case.js';
import { createWriter, dirty, freeSnapshots } from '../guest.js';
import { timed } from '../wait.js';

const PERCENTS = [1, 2, 5, 10, 25, 50, 100];
const QUICK_PERCENTS = [1, 10, 100];

export const dirtyShare: BenchCase = {
  name: 'dirty-share',
  promise: null,
  summary: 'cost of a differential snapshot and of a diff against 1 to 100 % of dirty pages; limit: memcpy, read',
  params: ['memoryBytes'],
  seconds: 15,
  async run({ addon, limits, quick, params, latencies, inTurns }) {
    const ramBytes = params.memoryBytes ?? (quick ? 64 * MIB : 256 * MIB);
    const rounds = quick ? 2 : 20;
    const threads = addon.engineInfo().poolThreads;
    const vm = await createWriter(ramBytes);
    const members = (quick ? QUICK_PERCENTS : PERCENTS).map((percent) => ({
      percent,
      pages: Math.round((ramBytes / PAGE_BYTES) * (percent / 100)),
      snapshot: latencies(),
      diff: latencies(),
      copy: latencies(),
      read: latencies(),
    }));
    const progress = () => addon.createProgress();
    let last = (await vm.snapshot(false, progress())).snapshot;
    await inTurns(
      rounds,
      members.map((member) => async ({ warmUp }: { warmUp: boolean }) => {
        await freeSnapshots();
        await dirty(vm, member.pages);
        const taken = await timed(() => vm.snapshot(false, progress()));
        const { snapshot } = taken.value;
        const compared = await timed(() => last.diff(snapshot, progress()));
        const differing = compared.value.reduce((sum, { pageCount }) => sum + pageCount, 0);
        if (differing !== member.pages)
          throw new Error(`Expected ${member.pages} pages to differ but received ${differing}`);
        last = snapshot;
        // Chunks of 256 KiB are the least that the program copies.
        const mib = Math.max(1, Math.round((member.pages * PAGE_BYTES) / MIB));
        const copied = await limits?.ask('copy', threads, mib);
        const read = await limits?.ask('read', threads, mib);
        if (warmUp) return;
        member.snapshot.record(taken.ns);
        member.diff.record(compared.ns);
        if (copied !== undefined) member.copy.record(copied.elapsedNs);
        if (read !== undefined) member.read.record(2 * read.elapsedNs);
      }),
    );
    vm.close();
    const of = (kind: string, percent: number) => `dirty-share ${kind}, ${percent} % of ${formatBytes(ramBytes)}`;
    const label = (percent: number, pages: number) => `${percent} % (${pages} pages)`;
    const snapshots = members.map(
      ({ percent, pages, snapshot, copy }): MetricDraft => ({
        title: of('snapshot', percent),
        params: { ramBytes, percent },
        ours: snapshot,
        limit: { name: 'memcpy of as many bytes', series: copy },
        chart: { title: 'a differential snapshot by share of dirty pages', label: label(percent, pages) },
      }),
    );
    const diffs = members.map(
      ({ percent, pages, diff, read }): MetricDraft => ({
        title: of('diff', percent),
        params: { ramBytes, percent },
        ours: diff,
        limit: {
          name: 'reading as many bytes of both',
          series: read,
          differs: 'pages that differ do so in their first word, where ours has its answer',
        },
        chart: { title: 'diff of two snapshots by share of pages that differ', label: label(percent, pages) },
      }),
    );
    return [...snapshots, ...diffs];
  },
};
