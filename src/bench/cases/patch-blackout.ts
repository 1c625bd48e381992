// How long a patch of class pause keeps a VM from running, staged before its freeze and inside of it.
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIB } from '../../base/units.js';
import { createBundle } from '../../components/bundle.js';
import { generateKeyPair, readKey } from '../../components/keys.js';
import { Host } from '../../host/host.js';
import type { BenchCase } from '../case.js';

const IMAGE_BYTES = 8 * MIB;
const COMPONENT = 'hypervisor';

export const patchBlackout: BenchCase = {
  name: 'patch-blackout',
  promise: null,
  summary: 'blackout of a signed 8 MiB patch, staged before the freeze; baseline: staged inside of it',
  seconds: 20,
  async run({ quick, latencies, figures, inTurns }) {
    const folder = await mkdtemp(join(tmpdir(), 'standstill-bench-'));
    const keys = generateKeyPair();
    const privateKey = await readKey(keys.privateKey, 'private');
    const [before, inside, staging] = [latencies(), latencies(), figures()];
    try {
      // Two versions, by turns: each maintenance applies the one that is not current.
      const bundles: string[] = [];
      for (const [from, to] of [
        ['2.0.0', '1.0.0'],
        ['1.0.0', '2.0.0'],
      ] as const) {
        await mkdir(join(folder, to));
        await writeFile(join(folder, to, 'image.bin'), randomBytes(IMAGE_BYTES));
        const path = join(folder, `${to}.tar.gz`);
        const options = {
          id: `to-${to}`,
          component: COMPONENT,
          from,
          to,
          impact: 'pause',
          expectedDurationMs: 50,
        } as const;
        await createBundle(join(folder, to), path, options, privateKey);
        bundles.push(path);
      }
      await using host = await Host.create({ directory: join(folder, 'host'), trustedKeys: [keys.publicKey] });
      await host.components.install({ component: COMPONENT, version: '1.0.0', files: join(folder, '1.0.0') });
      const vm = await host.createVm({ program: 'page-writer', memory: 16 * MIB, prefault: true });
      vm.start();
      let applied = 0;
      const side =
        (preStage: boolean) =>
        async ({ warmUp }: { warmUp: boolean }) => {
          applied += 1;
          const patches = [bundles[applied % 2] ?? ''];
          const report = await host.applyMaintenance({ patches, preStage, check: false });
          if (report.result !== 'done') throw new Error(`Expected the patch to be applied but it was ${report.result}`);
          if (warmUp) return;
          (preStage ? before : inside).record(report.vms[0]?.blackoutNs ?? 0);
          if (preStage) staging.record((report.update?.savedNs ?? 0) / 1e6);
        };
      await inTurns(quick ? 4 : 40, [side(true), side(false)]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return [
      {
        title: 'patch-blackout',
        ours: before,
        baseline: { name: 'staged inside the freeze', series: inside },
        details: { stagingOutsideOfTheFreezeMs: staging.summary() },
      },
    ];
  },
};
