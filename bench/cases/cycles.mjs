// Throughput of the smallest operations, each beside the least that a call into the engine costs.
import { createVm, FREEZE_OPTIONS, HANDSHAKE_TIMEOUT_NS, MIB } from '../addon.mjs';
import { caseResult } from '../results.mjs';
import { interleave } from '../throughput.mjs';

export const cycles = {
  name: 'cycles',
  promise: '-',
  summary: 'pause/resume and freeze/release cycles a second; limit: a bare call into the addon',
  async run({ addon, quick }) {
    const vm = await createVm(addon, { ramBytes: MIB });
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
    const perSecond = await interleave(sides, { rounds: quick ? 4 : 10, secondsPerRound: 0.1, samplesPerRound: 2 });
    vm.close();
    const call = perSecond.get('call');
    return sides.slice(1).map(({ name }) =>
      caseResult({
        name: `cycles ${name}`,
        unit: 'ops/s',
        ours: perSecond.get(name),
        limit: { name: 'a call into the addon', summary: call },
      }),
    );
  },
};
