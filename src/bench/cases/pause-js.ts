// P2: the same pause as JavaScript sees it, by process.hrtime around the call of the library.
import { MIB } from '../../base/units.js';
import { EmulatedVm } from '../../vm/emulated-vm.js';
import type { BenchCase } from '../case.js';
import { busyGap } from '../wait.js';

export const pauseJs: BenchCase = {
  name: 'pause-js',
  promise: 'P2',
  summary: 'vm.pause() as JavaScript sees it; limit: the engine’s own latency of the same pauses',
  params: ['memoryBytes', 'program'],
  seconds: 4,
  async run({ quick, params, timerStepNs, latencies, inTurns }) {
    const rounds = quick ? 5 : 20;
    const perRound = quick ? 220 : 520;
    const seen = latencies();
    const inside = latencies();
    const call = latencies();
    const { program = 'page-writer', memoryBytes: memory = 64 * MIB } = params;
    using vm = await EmulatedVm.create({ program, memory, prefault: true });
    vm.start();
    await inTurns(rounds, [
      ({ warmUp }) => {
        for (let i = 0; i < perRound; i++) {
          busyGap();
          const from = process.hrtime.bigint();
          const { latencyNs } = vm.pause();
          const ns = Number(process.hrtime.bigint() - from);
          vm.resume();
          if (warmUp) continue;
          seen.record(ns);
          inside.record(latencyNs);
        }
      },
      // Pausing what is paused asks nothing of the guest: the way from JavaScript into the engine and back.
      ({ warmUp }) => {
        vm.pause();
        for (let i = 0; i < perRound; i++) {
          busyGap();
          const from = process.hrtime.bigint();
          vm.pause();
          const ns = Number(process.hrtime.bigint() - from);
          if (!warmUp) call.record(ns);
        }
        vm.resume();
      },
    ]);
    return [
      {
        title: 'pause-js',
        params: { program, ramBytes: memory },
        ours: seen,
        limit: { name: 'the same pauses inside the engine', series: inside },
        baseline: { name: 'pause() of a paused VM: the call alone', series: call },
        target: { text: 'p50 ≤ 3 µs', atMost: { p50: 3000 } },
        notes: [`one reading of process.hrtime takes ${timerStepNs} ns and is in every sample`],
      },
    ];
  },
};
