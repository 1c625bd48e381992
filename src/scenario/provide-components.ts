import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import semver from 'semver';
import { readBundleHead } from '../components/bundle.js';
import type { ComponentStore } from '../components/store.js';
import { kindOf, type PatchSpec } from '../maintenance/patch-source.js';

/**
 * Gives a host that is made for one run what its bundles are for: each component, at the lowest version that the bundle
 * takes.
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
  for (const [component, version] of wanted) await installComponent(store, { component, version, files: null });
}

/** Installs a component from a folder, or, where `files` is null, with one file that is made. */
export async function installComponent(
  store: ComponentStore,
  {
    component,
    version,
    files,
  }: { readonly component: string; readonly version: string; readonly files: string | null },
): Promise<void> {
  if (files !== null) {
    await store.install({ component, version, files });
    return;
  }
  const made = await mkdtemp(join(tmpdir(), 'standstill-component-'));
  try {
    await writeFile(join(made, 'component.txt'), `${component} ${version}\n`);
    await store.install({ component, version, files: made });
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}
