// A pause beside what a user would pick instead, all in turns in one run: a process stopped by a signal, by ptrace, by
// the cgroup freezers of both versions, QEMU's guest over QMP, and v86's in a worker thread.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../base/errors.js';
import { MIB } from '../../base/units.js';
import { type BenchCase, type BenchContext, CaseSkipped, type ReferenceDraft, type Side } from '../case.js';
import { createVm, HANDSHAKE_TIMEOUT_NS } from '../engine.js';
import type { LimitsServer } from '../native/server.js';
import { Qemu, whyNoQemu } from '../peers/qemu.js';
import { V86, whyNoV86 } from '../peers/v86.js';
import type { Series } from '../series.js';
import { busyGap, timed } from '../wait.js';

const EMULATOR_RAM_BYTES = 64 * MIB;
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

/** An emulator with its guest halted. */
interface Emulator {
  readonly name: string;
  readonly differs: string;
  resume(): Promise<unknown>;
  pause(): Promise<unknown>;
  close(): Promise<void>;
}

/** What starts it; null where it is not here, with a note that says why. */
async function startEmulator(
  name: string,
  missing: string | null,
  start: () => Promise<Emulator>,
  notes: string[],
): Promise<Emulator | null> {
  try {
    if (missing !== null) throw new CaseSkipped(missing);
    return await start();
  } catch (error) {
    if (!(error instanceof CaseSkipped)) throw error;
    notes.push(`${name} was not measured: ${error.message}`);
    return null;
  }
}

async function startQemu(folder: string, addChild: BenchContext['addChild']): Promise<Emulator> {
  const qemu = await Qemu.start({ folder, ramBytes: EMULATOR_RAM_BYTES });
  addChild(qemu.pid);
  await qemu.execute('stop');
  return {
    name: 'QEMU (TCG) stop over QMP',
    differs: 'asked over QMP and answered by its main loop, as its user sees it; ours is stamped in the engine',
    resume: () => qemu.execute('cont'),
    pause: () => qemu.execute('stop'),
    close: () => qemu.close(),
  };
}

async function startV86(): Promise<Emulator> {
  const v86 = await V86.start(EMULATOR_RAM_BYTES);
  return {
    name: `v86 ${v86.version} stop()`,
    differs:
      'an emulator in JavaScript and WebAssembly in a worker thread, asked by a message that it takes between two slices ' +
      'of about 100,000 instructions; ours is stamped in the engine',
    resume: () => v86.run(),
    pause: () => v86.stop(),
    close: () => v86.close(),
  };
}

export const pausePeers: BenchCase = {
  name: 'pause-peers',
  promise: null,
  summary:
    'peers of a pause: SIGSTOP, ptrace interrupt, cgroup v2 and v1 freezers, QEMU (TCG) stop over QMP, v86 stop()',
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
    const emulators: Emulator[] = [];
    const folder = await mkdtemp(join(tmpdir(), 'standstill-qemu-'));
    const vm = await createVm({ program, ramBytes });
    try {
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
      for (const emulator of [
        await startEmulator('QEMU', whyNoQemu(), () => startQemu(folder, addChild), notes),
        await startEmulator('v86', whyNoV86(), startV86, notes),
      ]) {
        if (emulator === null) continue;
        emulators.push(emulator);
        const series = latencies();
        peers.push({ name: emulator.name, series, differs: emulator.differs });
        sides.push(async ({ warmUp }) => {
          for (let i = 0; i < perRound; i++) {
            await emulator.resume();
            busyGap();
            const { ns } = await timed(() => emulator.pause());
            if (!warmUp) series.record(ns);
          }
        });
      }
      await inTurns(rounds, sides);
    } finally {
      vm.close();
      await Promise.all(emulators.map((emulator) => emulator.close()));
      await rm(folder, { recursive: true, force: true });
    }
    return [{ title: 'pause-peers', params: { program, ramBytes }, ours, peers, notes }];
  },
};
