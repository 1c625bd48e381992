// Finds the bench-only native programs, and builds them quietly where they are not built.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const TARGETS = ['standstill_bench_limits', 'standstill_bench_store_cost'];

/** @returns {{ folder: string } | { missing: string }} where the programs are, or in one line why they are not */
export function findNativePrograms() {
  const folder = process.env.STANDSTILL_BENCH_PROGRAMS ?? join(root, 'build-bench');
  const built = () => TARGETS.every((target) => existsSync(join(folder, target)));
  if (process.env.STANDSTILL_BENCH_PROGRAMS !== undefined) {
    return built()
      ? { folder }
      : { missing: `STANDSTILL_BENCH_PROGRAMS names ${folder}, which lacks ${TARGETS.join(' or ')}` };
  }
  // Also where they are built already: an incremental build takes a moment, and old programs measure old code.
  mkdirSync(folder, { recursive: true });
  const logPath = join(folder, 'build.log');
  const log = openSync(logPath, 'w');
  const run = (...args) => spawnSync('cmake', args, { cwd: root, stdio: ['ignore', log, log] });
  const configured = run('-S', root, '-B', folder, '-DSTANDSTILL_BUILD_TESTS=ON');
  if (configured.error) return { missing: 'cmake was not found (Debian: apt-get install cmake)' };
  const failed = configured.status !== 0 || run('--build', folder, '--parallel', '--target', ...TARGETS).status !== 0;
  return failed
    ? { missing: `the bench programs did not build; the log is ${logPath} (they need doctest-dev, as the tests do)` }
    : { folder };
}
