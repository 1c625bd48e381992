// A pause beside what a user would pick instead, all in turns in one run: a process stopped by a signal, by ptrace, by
// the cgroup freezers of both versions, and QEMU's guest over QMP.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../base/errors.js';
import { MIB } from '../../base/units.js';
import type { BenchCase, ReferenceDraft, Side } from '../case.js';
import { createVm, HANDSHAKE_TIMEOUT_NS } from '../engine.js';
import type { LimitsServer } from '../native/server.js';
import { Qemu, whyNoQemu } from '../peers/qemu.js';
import type { Series } from '../series.js';
import { busyGap, timed } from '../wait.js';

const QEMU_RAM_BYTES = 64 * MIB;
const A_PROCESS = 'a process that counts, not a guest in it; its memory is not proved and its clock goes on';

interface Peer {
  readonly name: string;
  readonly differs: string;
  readonly ask: 'sigstop' | 'ptrace' | 'freezer-v2' | 'freezer-v1';
}
const PEERS: readonly Peer[] = [
  { name: 'SIGSTOP → waitpid', ask: 'sigstop', differs: A_PROCESS },
  { name: 'ptrace interrupt → waitpid', ask: 'ptrace', differs: A_PROCESS },
  { name: 'cgroup v2 freezer → frozen 1', ask: 'freezer-v2', differs: A_PROCESS },
  { name: 'cgroup v1 freezer → FROZEN', ask: 'freezer-v1', differs: A_PROCESS },
];

/** A side that is left out from the first refusal on, with a note. */
function sideOf(peer: Peer, limits: LimitsServer, samples: number, series: Series, notes: string[]): Side {
  let isRefused = false;
  return async ({ warmUp }) => {
    if (isRefused) return;
    try {
      const { haltNs } = await limits.ask(peer.ask, samples);
      if (!warmUp) series.recordAll(haltNs);
    } catch (error) {
      isRefused = true;
      notes.push(`${peer.name} was not measured: ${messageOf(error)}`);
    }
  };
}

export const pausePeers: BenchCase = {
  name: 'pause-peers',
  promise: null,
  summary: 'peers of a pause: SIGSTOP, ptrace interrupt, cgroup v2 and v1 freezers, QEMU (TCG) stop over QMP',
  params: ['memoryBytes', 'program'],
  seconds: 25,
  async run({ limits, quick, params, latencies, inTurns, addChild }) {
    const rounds = quick ? 3 : 20;
    const perRound = quick ? 40 : 60;
    const { program = 'page-writer', memoryBytes: ramBytes = 64 * MIB } = params;
    const ours = latencies();
    const notes: string[] = [];
    const peers: ReferenceDraft[] = [];
    const sides: Side[] = [];
    const vm = await createVm({ program, ramBytes });
    vm.start();
    sides.push(({ warmUp }) => {
      vm.resume();
      for (let i = 0; i < perRound; i++) {
        busyGap();
        const { latencyNs } = vm.pause(HANDSHAKE_TIMEOUT_NS);
        // The last pause of a round stays, so that the guest is out of the others' way.
        if (i + 1 < perRound) vm.resume();
        if (!warmUp) ours.record(latencyNs);
      }
    });
    for (const peer of limits === null ? [] : PEERS) {
      const series = latencies();
      peers.push({ name: peer.name, series, differs: peer.differs });
      if (limits !== null) sides.push(sideOf(peer, limits, perRound, series, notes));
    }
    const folder = await mkdtemp(join(tmpdir(), 'standstill-qemu-'));
    const missing = whyNoQemu();
    if (missing !== null) notes.push(`QEMU was not measured: ${missing}`);
    const qemu = missing === null ? await Qemu.start({ folder, ramBytes: QEMU_RAM_BYTES }) : null;
    try {
      if (qemu !== null) {
        addChild(qemu.pid);
        const series = latencies();
        const differs =
          'asked over QMP and answered by its main loop, as its user sees it; ours is stamped in the engine';
        peers.push({ name: 'QEMU (TCG) stop over QMP', series, differs });
        await qemu.execute('stop');
        sides.push(async ({ warmUp }) => {
          for (let i = 0; i < perRound; i++) {
            await qemu.execute('cont');
            busyGap();
            const { ns } = await timed(() => qemu.execute('stop'));
            if (!warmUp) series.record(ns);
          }
        });
      }
      await inTurns(rounds, sides);
    } finally {
      vm.close();
      await qemu?.close();
      await rm(folder, { recursive: true, force: true });
    }
    return [{ title: 'pause-peers', params: { program, ramBytes }, ours, peers, notes }];
  },
};
