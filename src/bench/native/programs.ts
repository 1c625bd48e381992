import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, mkdirSync, openSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageVersion } from '../../base/package.js';
import { besideAddon } from '../../native/binaries.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const TARGETS = ['standstill_bench_limits', 'standstill_bench_store_cost'];

/** Where the native programs are, or in one line why they are not. */
export type FoundPrograms = { readonly folder: string } | { readonly missing: string };

/**
 * Finds the native programs that measure the machine's limits: beside the addon where both were prebuilt, else it builds
 * them from the package's own sources, at first use in about a minute, then in a moment where nothing has changed.
 * STANDSTILL_BENCH_PROGRAMS names a folder instead. A
 * build ends where `signal` aborts.
 */
export async function findNativePrograms(signal: AbortSignal): Promise<FoundPrograms> {
  const named = process.env.STANDSTILL_BENCH_PROGRAMS;
  if (named !== undefined) {
    return TARGETS.every((target) => existsSync(join(named, target)))
      ? { folder: named }
      : { missing: `STANDSTILL_BENCH_PROGRAMS names ${named}, which lacks ${TARGETS.join(' or ')}` };
  }
  if (TARGETS.every((target) => existsSync(besideAddon(target)))) return { folder: besideAddon('') };
  const folder = buildFolder();
  mkdirSync(folder, { recursive: true });
  const logPath = join(folder, 'build.log');
  const log = openSync(logPath, 'w');
  const cmake = async (...args: string[]): Promise<boolean | null> => {
    const child = spawn('cmake', args, { cwd: ROOT, stdio: ['ignore', log, log], signal });
    try {
      const [code] = await once(child, 'close');
      return code === 0;
    } catch {
      return null; // it is not there
    }
  };
  const configured = await cmake('-S', ROOT, '-B', folder, '-DSTANDSTILL_BUILD_BENCH=ON');
  if (configured === null) return { missing: 'cmake was not found (Debian: apt-get install cmake g++)' };
  const built = configured && (await cmake('--build', folder, '--parallel', '--target', ...TARGETS));
  return built
    ? { folder }
    : { missing: `the native programs did not build; they need a C++20 compiler, and the log is ${logPath}` };
}

/** In the package where that can be written to, else in the user's cache. */
function buildFolder(): string {
  try {
    accessSync(ROOT, constants.W_OK);
    return join(ROOT, 'build-bench');
  } catch {
    const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache');
    return join(cache, 'standstill', `bench-${packageVersion()}`);
  }
}
