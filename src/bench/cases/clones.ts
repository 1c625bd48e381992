// A hundred clones of a snapshot against a hundred copies of it: their memory by the kernel's proportional share, each
// kind in a process of its own; and what the kernel takes for a page that a clone writes first.
import { fileURLToPath } from 'node:url';
import { MIB } from '../../base/units.js';
import type { BenchCase } from '../case.js';
import { measureInChild } from '../child.js';

const SHARE_MAX = 0.15;
/** A page each, almost: 3 % of a RAM of 64 MiB. */
const STEPS = 512;
const COW_SAMPLES = 2000;
const CHILD = fileURLToPath(new URL('./clones-child.js', import.meta.url));

interface Told {
  createdNs: number;
  readBytes: number;
  afterBytes: number;
  written: { ns: number; pages: number }[];
}

export const clones: BenchCase = {
  name: 'clones',
  promise: null,
  summary: '100 clones of a 64 MiB VM against 100 copies: memory (PSS), creation, and the cost of a first write',
  params: ['memoryBytes', 'vms'],
  seconds: 40,
  async run({ limits, quick, freeBytes, params, figures, latencies, signal }) {
    const ramBytes = params.memoryBytes ?? (quick ? 8 : 64) * MIB;
    const count = Math.max(1, Math.min(params.vms ?? 100, Math.floor(freeBytes / 2 / ramBytes)));
    const ask = (kind: 'clones' | 'copies') => measureInChild<Told>(CHILD, [kind, count, ramBytes, STEPS], signal);
    const ours = await ask('clones');
    const copies = await ask('copies');
    const size = `${count} × ${ramBytes / MIB} MiB`;
    const own = { vms: count, ramBytes };

    const memory = (when: string, key: 'readBytes' | 'afterBytes') => ({
      title: `clones memory, ${size}, ${when}`,
      params: { ...own, when },
      unit: 'bytes' as const,
      ours: figures([ours[key]]),
      peers: [{ name: 'as many copies', series: figures([copies[key]]) }],
      target: { text: 'below 15 % of the copies', atMost: { p50: copies[key] * SHARE_MAX } },
    });
    const aPage = ({ written }: Told) => {
      const series = latencies();
      for (const { ns, pages } of written) series.record(ns / pages);
      return series;
    };
    const kernel = latencies();
    const faults = await limits?.ask('cow', COW_SAMPLES, ramBytes / MIB);
    for (const ns of faults?.faultNs ?? []) kernel.record(ns);
    return [
      memory('all read', 'readBytes'),
      memory(`${STEPS} pages of each written`, 'afterBytes'),
      {
        title: `clones creation, ${size}`,
        params: own,
        ours: figures([ours.createdNs]),
        peers: [{ name: 'as many copies', series: figures([copies.createdNs]) }],
        notes: ['the first clone has the RAM written to the image that all share'],
      },
      {
        title: `clones first write, a page of ${size}`,
        params: own,
        ours: aPage(ours),
        limit: faults ? { name: "first write to a page of the kernel's private mapping", series: kernel } : null,
        baseline: { name: 'the same writes of a copy', series: aPage(copies) },
      },
    ];
  },
};
