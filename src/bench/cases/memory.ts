// P14: what a VM takes beside its guest's RAM, in a process of its own, so that nothing else grows meanwhile.
import { fileURLToPath } from 'node:url';
import { GIB, KIB, MIB } from '../../base/units.js';
import type { BenchCase, MetricDraft } from '../case.js';
import { measureInChild } from '../child.js';

const CASES = [
  { count: 1, ramBytes: 64 * MIB },
  { count: 1, ramBytes: GIB },
  { count: 100, ramBytes: MIB },
];
const RAM_SHARE_MAX = 0.01;
const BYTES_MAX = 256 * KIB;
const CHILD = fileURLToPath(new URL('./memory-child.js', import.meta.url));

type Sample = Record<'pssBesideRamBytes' | 'rssBesideRamBytes' | 'anonymousBytes' | 'pageTableBytes', number>;

export const memory: BenchCase = {
  name: 'memory',
  promise: 'P14',
  summary: 'resident memory beside guest RAM, a VM: 64 MiB, 1 GiB, 100 × 1 MiB',
  params: ['memoryBytes', 'vms'],
  seconds: 25,
  async run({ quick, params, figures, signal }) {
    const { memoryBytes, vms } = params;
    const isChosen = memoryBytes !== undefined || vms !== undefined;
    const cases = isChosen ? [{ count: vms ?? 1, ramBytes: memoryBytes ?? 64 * MIB }] : CASES;
    const drafts: MetricDraft[] = [];
    for (const { count, ramBytes } of cases) {
      const repeats = quick || ramBytes >= GIB ? 3 : 7;
      const samples = await measureInChild<Sample[]>(CHILD, [count, ramBytes, repeats], signal);
      const allowed = ramBytes * RAM_SHARE_MAX + BYTES_MAX;
      drafts.push({
        title: `memory ${count > 1 ? `${count} × ` : ''}${ramBytes / MIB} MiB`,
        params: { vms: count, ramBytes },
        unit: 'bytes',
        ours: figures(samples.map(({ pssBesideRamBytes }) => pssBesideRamBytes)),
        target: { text: `≤ ${Math.round(allowed / KIB)} KiB a VM`, atMost: { p50: allowed } },
        details: { samples },
      });
    }
    return drafts;
  },
};
