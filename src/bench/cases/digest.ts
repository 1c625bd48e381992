// P6: a full digest against reading the same amount of memory of the same kind, with as many threads.
import { GIB, MIB } from '../../base/units.js';
import type { BenchCase, MetricDraft } from '../case.js';
import { createVm } from '../engine.js';
import { shareTarget } from '../ratio.js';
import type { Series } from '../series.js';
import type { ThroughputSide } from '../throughput.js';

export const digest: BenchCase = {
  name: 'digest',
  promise: 'P6',
  summary: 'bandwidth of a full digest; limit: reading the memory, peer: copying it',
  params: ['memoryBytes'],
  seconds: 12,
  async run({ addon, limits, quick, params, figures, throughput }) {
    const bytes = params.memoryBytes ?? (quick ? 256 * MIB : GIB);
    const rounds = quick ? 4 : 12;
    const vm = await createVm({ ramBytes: bytes });
    await vm.runUntil(5_000_000);
    const drafts: MetricDraft[] = [];
    const { poolThreads, crcBackend } = addon.engineInfo();
    for (const threads of [...new Set([1, poolThreads])]) {
      const sides: ThroughputSide[] = [{ name: 'digest', async: true, run: () => vm.digest({ threads }) }];
      if (limits !== null) {
        sides.push({ name: 'read', async: true, run: () => limits.ask('read', threads, bytes / MIB) });
        sides.push({ name: 'copy', async: true, run: () => limits.ask('copy', threads, bytes / MIB) });
      }
      // Gigabytes a second.
      const plan = { rounds, secondsPerRound: 0.01, samplesPerRound: 1, scale: bytes / 1e9 };
      const bandwidth = await throughput(sides, plan);
      const of = (name: string): Series => bandwidth.get(name) ?? figures();
      drafts.push({
        title: `digest ${bytes / MIB} MiB, ${threads} thread${threads > 1 ? 's' : ''}`,
        params: { ramBytes: bytes, threads },
        unit: 'GB/s',
        ours: of('digest'),
        limit: { name: 'reading it (vector loads)', series: of('read') },
        peers: [{ name: 'copying it (memcpy, bytes copied)', series: of('copy') }],
        target: shareTarget(0.8, of('digest'), of('read'), 'reading'),
        details: { backend: crcBackend },
      });
    }
    vm.close();
    return drafts;
  },
};
