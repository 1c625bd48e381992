// P14: what a VM takes beside its guest's RAM, in a process of its own, so that nothing else grows meanwhile.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GIB, MIB } from '../addon.mjs';
import { caseResult } from '../results.mjs';

const CASES = [
  { count: 1, ramBytes: 64 * MIB },
  { count: 1, ramBytes: GIB },
  { count: 100, ramBytes: MIB },
];
const RAM_SHARE_MAX = 0.01;
const BYTES_MAX = 256 * 1024;

export const memory = {
  name: 'memory',
  promise: 'P14',
  summary: 'resident memory beside guest RAM, a VM: 64 MiB, 1 GiB, 100 × 1 MiB',
  async run({ quick }) {
    const results = [];
    for (const { count, ramBytes } of CASES) {
      const child = join(import.meta.dirname, 'memory-child.mjs');
      const repeats = quick || ramBytes >= GIB ? 3 : 7;
      const { stdout } = await promisify(execFile)(process.execPath, [
        '--expose-gc',
        child,
        String(count),
        String(ramBytes),
        String(repeats),
      ]);
      const { besideRamBytes, kinds, samples } = JSON.parse(stdout);
      const allowed = ramBytes * RAM_SHARE_MAX + BYTES_MAX;
      results.push(
        caseResult({
          name: `memory ${count > 1 ? `${count} × ` : ''}${ramBytes / MIB} MiB`,
          promise: 'P14',
          unit: 'bytes',
          ours: { samples, p50: besideRamBytes, max: kinds.worstBytes },
          limit: { name: '1 % of RAM + 256 KiB', summary: { p50: allowed } },
          target: { text: `≤ ${Math.round(allowed / 1024)} KiB a VM`, atMost: { p50: allowed } },
          details: kinds,
        }),
      );
    }
    return results;
  },
};
