import type { BundleManifest } from '../components/manifest.js';

export interface Dependencies {
  /** Of each bundle all those, near and far, that must be applied before it. */
  readonly needed: ReadonlyMap<BundleManifest, ReadonlySet<BundleManifest>>;
  /** Those that need themselves. */
  readonly cyclic: ReadonlySet<BundleManifest>;
}

/** A bundle needs those that bring a component that it depends on. */
export function dependenciesOf(bundles: readonly BundleManifest[]): Dependencies {
  const direct = (bundle: BundleManifest) =>
    bundles.filter(({ component }) => Object.hasOwn(bundle.dependencies, component));
  const needed = new Map(
    bundles.map((bundle) => {
      const found = new Set<BundleManifest>();
      const open = direct(bundle);
      for (let next = open.pop(); next !== undefined; next = open.pop()) {
        if (found.has(next)) continue;
        found.add(next);
        open.push(...direct(next));
      }
      return [bundle, found] as const;
    }),
  );
  return { needed, cyclic: new Set(bundles.filter((bundle) => needed.get(bundle)?.has(bundle))) };
}

/** The items as they are given, but each bundle behind those that it needs. */
export function inOrder<T>(
  items: readonly T[],
  bundleOf: (item: T) => BundleManifest | undefined,
  needed: Dependencies['needed'],
): T[] {
  const left = [...items];
  const ordered: T[] = [];
  const isReady = (item: T) => {
    const bundle = bundleOf(item);
    const needs = bundle === undefined ? undefined : needed.get(bundle);
    return needs === undefined || !left.some((other) => other !== item && needs.has(bundleOf(other) as BundleManifest));
  };
  while (left.length > 0) {
    // In a cycle none is ready; its patches are refused, and their order is that in which they were given.
    const index = Math.max(0, left.findIndex(isReady));
    ordered.push(...left.splice(index, 1));
  }
  return ordered;
}
