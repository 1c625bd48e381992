// Throughput of the smallest operations, each beside the least that a call into the engine costs.
import { MIB } from '../../base/units.js';
import type { BenchCase } from '../case.js';
import { createVm, FREEZE_OPTIONS, HANDSHAKE_TIMEOUT_NS } from '../engine.js';

export const cycles: BenchCase = {
  name: 'cycles',
  promise: null,
  summary: 'pause/resume and freeze/release cycles a second; baseline: a bare call into the addon',
  seconds: 8,
  async run({ addon, quick, figures, throughput }) {
    const vm = await createVm({ ramBytes: MIB });
    vm.start();
    const sides = [
      { name: 'call', run: () => vm.state() },
      {
        name: 'pause/resume',
        run: () => {
          vm.pause(HANDSHAKE_TIMEOUT_NS);
          vm.resume();
        },
      },
      { name: 'freeze/release', run: () => addon.freeze([vm], FREEZE_OPTIONS).release() },
    ];
    const perSecond = await throughput(sides, { rounds: quick ? 4 : 10, secondsPerRound: 0.1, samplesPerRound: 2 });
    vm.close();
    const of = (name: string) => perSecond.get(name) ?? figures();
    return sides.slice(1).map(({ name }) => ({
      title: `cycles ${name}`,
      unit: 'ops/s' as const,
      ours: of(name),
      baseline: { name: 'a call into the addon', series: of('call') },
    }));
  },
};
