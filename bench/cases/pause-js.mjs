// P2: the same pause as JavaScript sees it, by process.hrtime around the call; through the library where it is
// built, as a user has it.
import { createVm, HANDSHAKE_TIMEOUT_NS, loadLibrary, MIB } from '../addon.mjs';
import { LatencySeries } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';
import { busyGap } from '../wait.mjs';

async function openVm(addon) {
  const { library, missing } = await loadLibrary();
  if (library === undefined) {
    const vm = await createVm(addon);
    return { vm, pauseOnce: () => vm.pause(HANDSHAKE_TIMEOUT_NS), through: `the addon (${missing})` };
  }
  const vm = await library.EmulatedVm.create({ program: 'page-writer', memory: 64 * MIB, prefault: true });
  return { vm, pauseOnce: () => vm.pause(), through: 'the library' };
}

export const pauseJs = {
  name: 'pause-js',
  promise: 'P2',
  summary: 'vm.pause() as JavaScript sees it; limit: the engine’s own latency of the same pauses',
  async run({ addon, quick, timerStepNs }) {
    const rounds = quick ? 5 : 20;
    const perRound = quick ? 220 : 520;
    const seen = new LatencySeries();
    const inside = new LatencySeries();
    const call = new LatencySeries();
    const { vm, pauseOnce, through } = await openVm(addon);
    vm.start();
    await inTurns(rounds, [
      ({ warmUp }) => {
        for (let i = 0; i < perRound; i++) {
          busyGap();
          const from = process.hrtime.bigint();
          const { latencyNs } = pauseOnce();
          const ns = Number(process.hrtime.bigint() - from);
          vm.resume();
          if (warmUp) continue;
          seen.record(ns);
          inside.record(latencyNs);
        }
      },
      // Pausing what is paused asks nothing of the guest: the way from JavaScript into the engine and back.
      ({ warmUp }) => {
        pauseOnce();
        for (let i = 0; i < perRound; i++) {
          busyGap();
          const from = process.hrtime.bigint();
          pauseOnce();
          const ns = Number(process.hrtime.bigint() - from);
          if (!warmUp) call.record(ns);
        }
        vm.resume();
      },
    ]);
    vm.close();
    return [
      caseResult({
        name: 'pause-js',
        promise: 'P2',
        ours: seen.summary(),
        limit: { name: 'the same pauses inside the engine', summary: inside.summary() },
        peer: { name: 'pause() of a paused VM: the call alone', summary: call.summary() },
        target: { text: 'p50 ≤ 3 µs', atMost: { p50: 3000 } },
        notes: [`through ${through}; one reading of process.hrtime takes ${timerStepNs} ns and is in every sample`],
      }),
    ];
  },
};
