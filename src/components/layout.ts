import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type BundleFile, canonicalJson } from './manifest.js';

/**
 *     <store>/journal.jsonl
 *     <store>/.staging/<update>/<component>/…
 *     <store>/<component>/component.json
 *     <store>/<component>/current  → versions/<version>@<digest of its files>
 *     <store>/<component>/previous → the one before
 *     <store>/<component>/versions/<version>@<digest of its files>/version.json, files/…
 */
export const layout = {
  journal: (root: string) => join(root, 'journal.jsonl'),
  staging: (root: string, update: string) => join(root, '.staging', update),
  component: (root: string, component: string) => join(root, component),
  record: (root: string, component: string) => join(root, component, 'component.json'),
  versions: (root: string, component: string) => join(root, component, 'versions'),
  current: (root: string, component: string) => join(root, component, 'current'),
  previous: (root: string, component: string) => join(root, component, 'previous'),
  /** The link that is about to take the place of `current` or `previous`. */
  nextLink: (root: string, component: string) => join(root, component, '.next'),
  versionRecord: (folder: string) => join(folder, 'version.json'),
  files: (folder: string) => join(folder, 'files'),
} as const;

/** Relative to the component's folder. Other files under the same version are another folder. */
export function versionFolder(version: string, files: readonly BundleFile[]): string {
  const digest = createHash('sha256').update(canonicalJson(files)).digest('hex').slice(0, 12);
  return join('versions', `${version}@${digest}`);
}
