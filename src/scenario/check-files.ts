import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Sections } from './check.js';
import { type Finding, placeOf } from './issues.js';

/** The files and folders that a scenario names and that are not there. */
export function checkFiles({ hosts, vms, patches, probes }: Sections, scenarioPath: string): Finding[] {
  const folder = dirname(scenarioPath);
  const findings: Finding[] = [];
  const look = (kind: 'file' | 'folder', what: string, path: Finding['path'], given: string | undefined) => {
    if (given === undefined) return;
    const absolute = resolve(folder, given);
    const found = statSync(absolute, { throwIfNoEntry: false });
    if (kind === 'file' ? found?.isFile() : found?.isDirectory()) return;
    const but = found === undefined ? `there is no such ${kind}` : `it is no ${kind}`;
    const message = `Expected ${what} for '${placeOf(path)}' but ${but}`;
    findings.push({ path, message, hint: `looked for ${absolute}` });
  };
  for (const [index, host] of (typeof hosts === 'object' ? hosts : []).entries()) {
    for (const [at, key] of host.trust.entries()) look('file', 'a public key', ['hosts', index, 'trust', at], key);
    for (const [name, { files }] of Object.entries(host.components)) {
      look('folder', 'a folder', ['hosts', index, 'components', name, 'files'], files);
    }
  }
  for (const [index, { guest }] of (vms ?? []).entries()) {
    if ('process' in guest) look('folder', 'a folder', ['vms', index, 'guest', 'directory'], guest.directory);
  }
  for (const [index, patch] of (patches ?? []).entries()) {
    if ('module' in patch) look('file', 'a patch module', ['patches', index, 'module'], patch.module);
    if ('bundle' in patch) look('file', 'a patch bundle', ['patches', index, 'bundle'], patch.bundle);
  }
  for (const [index, { module }] of (probes ?? []).entries())
    look('file', 'a module', ['probes', index, 'module'], module);
  return findings;
}
