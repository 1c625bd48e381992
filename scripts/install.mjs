// What npm runs when the package is installed: nothing where the prebuilt engine runs on this machine, else a build.
// `npm_config_build_from_source=true` always builds.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = join(root, 'prebuilds', `${process.platform}-${process.arch}`);

/** Why the prebuilt engine is not taken; null where it is. In a process of its own, which a wrong CPU may end. */
function refusal() {
  if (process.env.npm_config_build_from_source === 'true') return 'a build from source was asked for';
  const prebuilt = existsSync(folder) ? readdirSync(folder).find((name) => name.endsWith('.node')) : undefined;
  if (prebuilt === undefined) return `the package holds no engine for ${process.platform}-${process.arch}`;
  const loads = 'require(process.argv[1])';
  const { status, signal, stderr } = spawnSync(process.execPath, ['-e', loads, join(folder, prebuilt)]);
  if (status === 0) return null;
  const [reason] = /^Error: .*$/m.exec(String(stderr)) ?? [`it ended by ${signal ?? `exit code ${status}`}`];
  return `the prebuilt engine does not run here (${reason})`;
}

const why = refusal();
if (why !== null) {
  // A checkout has no prebuilt engine, and nobody misses it there.
  if (!existsSync(join(root, 'src', 'index.ts'))) console.error(`standstill: ${why}; building it`);
  await import('./build-addon.mjs');
}
