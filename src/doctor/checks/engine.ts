import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatNs } from '../../base/units.js';
import { Host } from '../../host/host.js';
import { addon } from '../../native/addon.js';
import type { Check } from '../check.js';

const DIGESTED_BYTES = 128 << 20;
const ROUNDS = 3;

/** The check that tells of the engine itself. */
export const ENGINE_CHECK_ID = 'engine';

export const ENGINE_CHECKS: readonly Check[] = [
  {
    id: ENGINE_CHECK_ID,
    title: 'native engine',
    isRequired: true,
    look: async () => {
      const { poolThreads } = addon.engineInfo();
      return {
        status: 'ok',
        found: `it loads; ${poolThreads} threads for what walks over memory`,
        consequence: 'VMs, freezes and snapshots can be had',
        remedy: null,
        values: { poolThreads },
      };
    },
    whereMissing: {
      consequence: 'nothing of Standstill works but this examination and the gate',
      remedy: '`npm rebuild standstill`, in a checkout `npm run build`; it needs a C++20 compiler, make and cmake',
    },
  },
  {
    id: 'maintenance',
    title: 'a maintenance',
    isRequired: true,
    look: maintain,
    whereMissing: {
      consequence: 'the main job does not work here',
      remedy: 'mend what else is missing below; the message says what failed',
    },
  },
  {
    id: 'carry-less-multiplication',
    title: 'carry-less multiplication',
    isRequired: false,
    look: async () => {
      const { crcBackend } = addon.engineInfo();
      const gigabytesPerSecond = digestSpeed();
      const isTable = crcBackend === 'table';
      return {
        status: isTable ? 'limited' : 'ok',
        found: `digests by ${crcBackend}, ${gigabytesPerSecond.toFixed(1)} GB/s on one thread`,
        consequence: isTable
          ? 'proofs of memory take several times as long as by PCLMULQDQ or VPCLMULQDQ'
          : `proving 1 GiB of memory takes ${formatNs((2 ** 30 / gigabytesPerSecond) | 0)} of a core`,
        remedy: isTable ? 'a virtual machine that passes PCLMULQDQ (arm64: PMULL) of its CPU on' : null,
        values: { crcBackend, gigabytesPerSecond },
      };
    },
    whereMissing: { consequence: 'memory cannot be proved', remedy: 'mend the native engine' },
  },
];

/** A small one, with a patch in its worker, and all memory proved. */
async function maintain() {
  await using host = await Host.create();
  const vm = await host.createVm({ program: 'kv-store', memory: '16 MiB' });
  vm.start();
  const patch = join(host.directory, 'patch.mjs');
  await writeFile(patch, 'export default () => {};\n');
  const { ok, problems, vms } = await host.applyMaintenance({ patches: [patch], proof: 'full' });
  const { memory = 'unproven', blackoutNs = 0 } = vms[0] ?? {};
  if (!ok) throw new Error(problems.join('; '));
  return {
    status: 'ok' as const,
    found: `a VM of 16 MiB was frozen, its host patched, its memory ${memory}; blackout ${formatNs(blackoutNs)}`,
    consequence: 'the main job works here',
    remedy: null,
    values: { blackoutNs },
  };
}

/** The fastest of some rounds, in GB/s. */
function digestSpeed(): number {
  const bytes = new Uint8Array(DIGESTED_BYTES).fill(1);
  const elapsedNs = Array.from({ length: ROUNDS }, () => {
    const fromNs = process.hrtime.bigint();
    addon.crc64(0n, bytes);
    return Number(process.hrtime.bigint() - fromNs);
  });
  return DIGESTED_BYTES / Math.min(...elapsedNs);
}
