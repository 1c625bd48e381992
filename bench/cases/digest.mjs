// P6: a full digest against reading the same amount of memory of the same kind, with as many threads.
import { createVm, GIB, MIB } from '../addon.mjs';
import { caseResult } from '../results.mjs';
import { interleave } from '../throughput.mjs';

const TARGET_SHARE = 0.8;

export const digest = {
  name: 'digest',
  promise: 'P6',
  summary: 'bandwidth of a full digest; limit: reading the memory, peer: copying it',
  async run({ addon, limits, quick }) {
    const bytes = quick ? 256 * MIB : GIB;
    const rounds = quick ? 4 : 12;
    const vm = await createVm(addon, { ramBytes: bytes });
    await vm.runUntil(5_000_000);
    const results = [];
    const threadCounts = [...new Set([1, addon.engineInfo().poolThreads])];
    for (const threads of threadCounts) {
      const sides = [{ name: 'digest', async: true, run: () => vm.digest({ threads }) }];
      if (limits) {
        for (const [name, word] of Object.entries({ read: 'read', copy: 'copy' })) {
          sides.push({ name, async: true, run: () => limits.ask(word, threads, bytes / MIB) });
        }
      }
      // What is mapped and written at first use is not part of a round.
      for (const side of sides) await side.run();
      const perSecond = await interleave(sides, { rounds, secondsPerRound: 0.01, samplesPerRound: 1 });
      const bandwidth = (name) => {
        const { samples, ...figures } = perSecond.get(name);
        return {
          samples,
          ...Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, (value * bytes) / 1e9])),
        };
      };
      const ours = bandwidth('digest');
      const limit = limits && bandwidth('read');
      results.push(
        caseResult({
          name: `digest ${bytes / MIB} MiB, ${threads} thread${threads > 1 ? 's' : ''}`,
          promise: 'P6',
          unit: 'GB/s',
          ours,
          limit: limit && { name: 'reading it (vector loads)', summary: limit },
          peer: limits && { name: 'copying it (memcpy, bytes copied)', summary: bandwidth('copy') },
          target: { text: '≥ 80 % of reading' },
          met: limit ? ours.p50 / limit.p50 >= TARGET_SHARE : null,
          details: { backend: addon.engineInfo().crcBackend },
        }),
      );
    }
    vm.close();
    return results;
  },
};
