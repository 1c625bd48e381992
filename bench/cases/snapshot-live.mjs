// P9: how long a guest stands still for a live snapshot, by its own stamps: for any size of RAM, and for any number of
// pages that it has written.
import { createVm, GIB, HANDSHAKE_TIMEOUT_NS, MIB } from '../addon.mjs';
import { freeSnapshots, sizeName } from '../guest.mjs';
import { LatencySeries, summarise } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';
import { busyGap, sleep } from '../wait.mjs';

const GUESTS = [
  { ramBytes: 64 * MIB, writtenBytes: 16 * MIB },
  { ramBytes: GIB, writtenBytes: 16 * MIB },
  { ramBytes: 4 * GIB, writtenBytes: 16 * MIB },
  { ramBytes: GIB, writtenBytes: 256 * MIB },
];
const QUICK_GUESTS = [
  { ramBytes: 64 * MIB, writtenBytes: 4 * MIB },
  { ramBytes: 256 * MIB, writtenBytes: 4 * MIB },
];
const CHART = 'blackout of a live snapshot by size of RAM and bytes written between two of them';

const labelOf = ({ ramBytes, writtenBytes }) => `${sizeName(ramBytes)}, ${sizeName(writtenBytes)} written`;

async function createMember(addon, guest) {
  // All of RAM is there; the working set is what is written between two snapshots.
  const vm = await createVm(addon, { ramBytes: guest.ramBytes, params: { workingSet: guest.writtenBytes } });
  return {
    ...guest,
    vm,
    blackout: new LatencySeries(),
    arming: new LatencySeries(),
    copies: [],
    pages: [],
    paces: [],
  };
}

/** Steps a nanosecond of the guest, undisturbed. */
async function paceAlone(vm) {
  const from = { steps: vm.stats().steps, ns: process.hrtime.bigint() };
  await sleep(10);
  return (vm.stats().steps - from.steps) / Number(process.hrtime.bigint() - from.ns);
}

export const snapshotLive = {
  name: 'snapshot-live',
  promise: 'P9',
  summary: 'blackout of a live snapshot, 64 MiB to 4 GiB; limit: two threads, peer: arming write protection',
  async run({ addon, limits, quick, freeBytes }) {
    const rounds = quick ? 2 : 20;
    const perRound = quick ? 10 : 52;
    const guests = (quick ? QUICK_GUESTS : GUESTS).filter(({ ramBytes }) => ramBytes <= freeBytes / 3);
    const members = [];
    for (const guest of guests) members.push(await createMember(addon, guest));
    const pair = new LatencySeries();

    const sides = members.map((member) => async ({ warmUp }) => {
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
    const theirs = async ({ warmUp }) => {
      const { haltNs, resumeNs } = await limits.ask('handshake', perRound);
      if (!warmUp) pair.recordAll(haltNs.map((ns, i) => ns + resumeNs[i]));
      for (const { ramBytes, arming } of members) {
        if (ramBytes > GIB) continue; // the program holds as much memory itself
        const { armNs } = await limits.ask('write-protect', 3, ramBytes / MIB, 64).catch(() => ({ armNs: [] }));
        if (!warmUp) arming.recordAll(armNs);
      }
    };
    await inTurns(rounds, limits ? [...sides, theirs] : sides);
    for (const { vm } of members) vm.close();
    await freeSnapshots();

    const smallest = members[0].blackout.summary();
    return members.map((member, index) =>
      caseResult({
        name: `snapshot-live ${labelOf(member)}`,
        promise: 'P9',
        ours: member.blackout.summary(),
        limit: limits && { name: 'two threads: asked → seen, released → running', summary: pair.summary() },
        peer:
          member.arming.samples > 0
            ? {
                name: `kernel: arming write protection of ${sizeName(member.ramBytes)}`,
                summary: member.arming.summary(),
              }
            : null,
        beside: index === 0 ? [] : [{ role: 'ours', name: `at ${labelOf(members[0])} (flat: 1)`, summary: smallest }],
        target: { text: 'p50 ≤ 5 µs', atMost: { p50: 5000 } },
        chart: { title: CHART, label: labelOf(member) },
        details: {
          copyNs: summarise(member.copies),
          pagesCopied: summarise(member.pages),
          guestPaceDuringTheCopyOverAlone: summarise(member.paces),
        },
      }),
    );
  },
};
