import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onAbort } from '../../base/abort.js';
import { StandstillError } from '../../base/errors.js';
import type { Result } from '../../gate/metric.js';
import { parseResults } from '../../gate/read/format.js';

const main = fileURLToPath(new URL('../main.js', import.meta.url));

/** Measures those cases by `standstill bench`, in a process of its own that shows its progress; the signal ends it. */
export async function runBench(cases: readonly string[], signal: AbortSignal): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'standstill-gate-'));
  const out = join(folder, 'bench.json');
  try {
    const child = spawn(process.execPath, [main, 'bench', '--only', cases.join(','), '--out', out], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    using _listener = onAbort(signal, () => child.kill('SIGTERM'));
    const [exitCode] = await once(child, 'close');
    signal.throwIfAborted();
    if (exitCode === 0) {
      const [result] = parseResults(await readFile(out, 'utf8'), 'standstill bench');
      if (result !== undefined) return result;
    }
    throw new StandstillError(
      'ERR_GATE_COMMAND',
      `Expected standstill bench to measure ${cases.join(', ')} but it did not`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
