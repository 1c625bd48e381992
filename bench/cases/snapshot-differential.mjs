// P10: a snapshot of a halted VM that has written 10 MiB since the last one, from the call to its result: the guest
// must stand still as long.
import { GIB, MIB } from '../addon.mjs';
import { createWriter, dirty, freeSnapshots, PAGE_BYTES, sizeName, timed } from '../guest.mjs';
import { LatencySeries } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';

const DIRTY_BYTES = 10 * MIB;
const DIRTY_PAGES = DIRTY_BYTES / PAGE_BYTES;
/** Arming write protection of 1 GiB takes milliseconds. */
const KERNEL_SAMPLES = 5;

export const snapshotDifferential = {
  name: 'snapshot-diff',
  promise: 'P10',
  summary: 'a snapshot 10 MiB after the last one; limit: memcpy of 10 MiB, peer: dirty pages by the kernel',
  async run({ addon, limits, quick }) {
    const ramBytes = quick ? 128 * MIB : GIB;
    const rounds = quick ? 3 : 20;
    const perRound = quick ? 10 : 52;
    const threads = addon.engineInfo().poolThreads;
    const ours = new LatencySeries();
    const copying = new LatencySeries();
    const limit = new LatencySeries();
    const kernel = { tracking: new LatencySeries(), fault: new LatencySeries() };
    let refused = null;
    const vm = await createWriter(addon, ramBytes);
    const own = async ({ warmUp }) => {
      for (let i = 0; i < perRound; i++) {
        if (i % 10 === 0) await freeSnapshots();
        await dirty(vm, DIRTY_PAGES);
        const { value, ns } = await timed(() => vm.snapshot(false, addon.createProgress()));
        if (warmUp) continue;
        ours.record(ns);
        copying.record(value.cost.copyNs);
      }
    };
    const theirs = async ({ warmUp }) => {
      for (let i = 0; i < perRound; i++) {
        const { elapsedNs } = await limits.ask('copy', threads, DIRTY_BYTES / MIB);
        if (!warmUp) limit.record(elapsedNs);
      }
    };
    const theKernels = async ({ warmUp }) => {
      if (refused !== null) return;
      try {
        const answer = await limits.ask('write-protect', KERNEL_SAMPLES, ramBytes / MIB, DIRTY_PAGES);
        if (warmUp) return;
        kernel.fault.recordAll(answer.faultNs);
        kernel.tracking.recordAll(answer.armNs.map((ns, i) => ns + answer.scanNs[i]));
      } catch (error) {
        refused = error.message;
      }
    };
    await inTurns(rounds, limits ? [own, theirs, theKernels] : [own]);
    vm.close();
    await freeSnapshots();
    return [
      caseResult({
        name: `snapshot-diff 10 MiB of ${sizeName(ramBytes)}`,
        promise: 'P10',
        ours: ours.summary(),
        limit: limits && { name: `memcpy of 10 MiB, ${threads} threads`, summary: limit.summary() },
        peer:
          kernel.tracking.samples > 0
            ? { name: 'kernel: write protection, arming and scan, no copy', summary: kernel.tracking.summary() }
            : null,
        target: { text: 'p50 ≤ 2 ms', atMost: { p50: 2e6 } },
        notes: refused === null ? [] : [`the kernel’s write protection was not measured: ${refused}`],
        details: {
          inTheEngine: copying.summary(),
          ...(kernel.fault.samples > 0 && { kernelFaultAPage: kernel.fault.summary() }),
        },
      }),
    ];
  },
};
