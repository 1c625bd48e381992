import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Option } from 'commander';
import semver from 'semver';
import { readBundleHead } from '../components/bundle.js';
import type { ComponentStore } from '../components/store.js';
import { kindOf, type PatchSpec } from '../maintenance/patch-source.js';
import { collect } from './flags.js';

/** What the commands that apply or plan bundles share. */
export interface BundleFlags {
  trust?: string[];
  host?: string;
  allowReboot?: true;
}

export const bundleOptions = (): Option[] => [
  new Option('--trust <file>', 'public key whose bundles are applied, repeatable').argParser(collect),
  new Option('--host <folder>', 'state folder of the host, kept (default: a temporary one)'),
  new Option('--allow-reboot', 'let a bundle of class reboot restart the VMs; their memory is lost'),
];

/**
 * Gives a host that is made for one command what its bundles are for: each component that it lacks, at the lowest version
 * that the bundle takes. A host with a folder of its own has what it has.
 */
export async function provideComponents(store: ComponentStore, patches: readonly PatchSpec[]): Promise<void> {
  const paths = patches.map(kindOf).flatMap((kind) => ('bundle' in kind ? [kind.bundle] : []));
  const manifests = await Promise.all(paths.map(async (path) => (await readBundleHead(path)).manifest));
  // What a bundle updates comes before what others need of it.
  const ranges = [
    ...manifests.flatMap(({ dependencies }) => Object.entries(dependencies)),
    ...manifests.map(({ component, from }) => [component, from] as const),
  ];
  const wanted = new Map(ranges.map(([name, range]) => [name, semver.minVersion(range)?.version ?? '0.0.0']));
  const files = await mkdtemp(join(tmpdir(), 'standstill-component-'));
  try {
    for (const [component, version] of wanted) {
      await writeFile(join(files, 'component.txt'), `${component} ${version}\n`);
      await store.install({ component, version, files });
    }
  } finally {
    await rm(files, { recursive: true, force: true });
  }
}
