import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * What a script of ours prints as JSON, run in a process of its own so that nothing else is in its memory. The process is
 * killed where `signal` aborts, and what it left in its temporary folder goes with it.
 */
export async function measureInChild<Told>(
  script: string,
  args: readonly (string | number)[],
  signal: AbortSignal,
): Promise<Told> {
  const folder = await mkdtemp(join(tmpdir(), 'standstill-bench-'));
  try {
    const env = { ...process.env, TMPDIR: folder };
    const running = promisify(execFile)(process.execPath, ['--expose-gc', script, ...args.map(String)], { env });
    const kill = () => running.child.kill('SIGKILL');
    signal.addEventListener('abort', kill);
    try {
      return JSON.parse((await running).stdout);
    } finally {
      signal.removeEventListener('abort', kill);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
