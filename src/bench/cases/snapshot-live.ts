// P9: how long a guest stands still for a live snapshot, by its own stamps: for any size of RAM, and for any number of
// pages that it has written.
import { setTimeout as sleep } from 'node:timers/promises';
import { formatBytes, GIB, MIB } from '../../base/units.js';
import type { NativeVm } from '../../native/contract.js';
import type { BenchCase } from '../case.js';
import { createVm, HANDSHAKE_TIMEOUT_NS } from '../engine.js';
import { freeSnapshots } from '../guest.js';
import { summarise } from '../series.js';
import { busyGap } from '../wait.js';

interface Guest {
  readonly ramBytes: number;
  /** Its working set: what is written between two snapshots. */
  readonly writtenBytes: number;
}

const GUESTS: readonly Guest[] = [
  { ramBytes: 64 * MIB, writtenBytes: 16 * MIB },
  { ramBytes: GIB, writtenBytes: 16 * MIB },
  { ramBytes: 4 * GIB, writtenBytes: 16 * MIB },
  { ramBytes: GIB, writtenBytes: 256 * MIB },
];
const QUICK_GUESTS: readonly Guest[] = [
  { ramBytes: 64 * MIB, writtenBytes: 4 * MIB },
  { ramBytes: 256 * MIB, writtenBytes: 4 * MIB },
];
const CHART = 'blackout of a live snapshot by size of RAM and bytes written between two of them';

const labelOf = ({ ramBytes, writtenBytes }: Guest) => `${formatBytes(ramBytes)}, ${formatBytes(writtenBytes)} written`;

/** Steps a nanosecond of the guest, undisturbed. */
async function paceAlone(vm: NativeVm): Promise<number> {
  const from = { steps: vm.stats().steps, ns: process.hrtime.bigint() };
  await sleep(10);
  return (vm.stats().steps - from.steps) / Number(process.hrtime.bigint() - from.ns);
}

export const snapshotLive: BenchCase = {
  name: 'snapshot-live',
  promise: 'P9',
  summary: 'blackout of a live snapshot, 64 MiB to 4 GiB; limit: two threads, peer: arming write protection',
  params: ['memoryBytes', 'dirtyBytes'],
  seconds: 60,
  async run({ addon, limits, quick, freeBytes, params, latencies, inTurns }) {
    const rounds = quick ? 2 : 20;
    const perRound = quick ? 10 : 52;
    const { memoryBytes, dirtyBytes } = params;
    const usual = (quick ? QUICK_GUESTS : GUESTS).filter(({ ramBytes }) => ramBytes <= freeBytes / 3);
    const isChosen = memoryBytes !== undefined || dirtyBytes !== undefined;
    const chosen = { ramBytes: memoryBytes ?? GIB, writtenBytes: dirtyBytes ?? 16 * MIB };
    const members: (Guest & Awaited<ReturnType<typeof open>>)[] = [];
    const open = async ({ ramBytes, writtenBytes }: Guest) => ({
      vm: await createVm({ ramBytes, params: { workingSet: writtenBytes } }),
      blackout: latencies(),
      arming: latencies(),
      copies: [] as number[],
      pages: [] as number[],
      paces: [] as number[],
    });
    for (const guest of isChosen ? [chosen] : usual) members.push({ ...guest, ...(await open(guest)) });
    const pair = latencies();

    const sides = members.map((member) => async ({ warmUp }: { warmUp: boolean }) => {
      const { vm } = member;
      if (vm.state() === 'created') vm.start();
      else vm.resume();
      const alone = await paceAlone(vm);
      for (let i = 0; i < perRound; i++) {
        if (i % 8 === 0) await freeSnapshots();
        busyGap();
        const { cost } = await vm.snapshot(true, addon.createProgress());
        if (warmUp) continue;
        member.blackout.record(cost.blackoutNs);
        member.copies.push(cost.copyNs);
        member.pages.push(cost.pagesCopied);
        member.paces.push(cost.guestSteps / cost.copyNs / alone);
      }
      vm.pause(HANDSHAKE_TIMEOUT_NS);
    });
    const theirs = async ({ warmUp }: { warmUp: boolean }) => {
      if (limits === null) return;
      const { haltNs, resumeNs } = await limits.ask('handshake', perRound);
      if (!warmUp) pair.recordAll(haltNs.map((ns, i) => ns + (resumeNs[i] ?? 0)));
      for (const { ramBytes, arming } of members) {
        if (ramBytes > GIB) continue; // the program holds as much memory itself
        const answer = await limits.ask('write-protect', 3, ramBytes / MIB, 64).catch(() => null);
        if (!warmUp) arming.recordAll(answer?.armNs ?? []);
      }
    };
    await inTurns(rounds, [...sides, theirs]);
    for (const { vm } of members) vm.close();
    await freeSnapshots();

    const [smallest] = members;
    return members.map((member) => ({
      title: `snapshot-live ${labelOf(member)}`,
      params: { ramBytes: member.ramBytes, writtenBytes: member.writtenBytes },
      ours: member.blackout,
      limit: { name: 'two threads: asked → seen, released → running', series: pair },
      peers: [
        {
          name: `kernel: arming write protection of ${formatBytes(member.ramBytes)}`,
          series: member.arming,
          differs: 'only what a snapshot by write protection must do while the guest stands',
        },
      ],
      baseline:
        smallest === undefined || member === smallest
          ? null
          : { name: `at ${labelOf(smallest)} (flat: 1)`, series: smallest.blackout },
      target: { text: 'p50 ≤ 5 µs', atMost: { p50: 5000 } },
      chart: { title: CHART, label: labelOf(member) },
      details: {
        copyNs: summarise(member.copies),
        pagesCopied: summarise(member.pages),
        guestPaceDuringTheCopyOverAlone: summarise(member.paces),
      },
    }));
  },
};
