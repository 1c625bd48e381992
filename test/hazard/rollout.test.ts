import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { checkRollout, Fleet, type FleetEvent, type LogEntry } from 'standstill';
import { describe, expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.js';
import { withTemporaryFolder } from '../fixtures/cli.js';
import { linesOf } from '../fixtures/fleets.js';
import { runChild } from './run-child.js';

const RUNS_MAX = 40;
const CHAIN_TIMEOUT_MS = 300_000;

/** Starts the process again and again, each time to be killed at some entry, until one gets to the end. */
async function killedUntilItEnds(directory: string, direction: 'forward' | 'rollback', seed: number): Promise<number> {
  const prng = new Prng(BigInt(seed));
  for (let run = 1; run <= RUNS_MAX; run += 1) {
    // The begin of a process takes 13 entries, a rollout about 80; later ones live longer, so that some get through.
    const dieAt = 14 + prng.nextBelow(12 * run);
    const outcome = await runChild('rollout', [directory, direction, String(dieAt)]);
    expect(['SIGKILL', 'exit 0'], `${outcome.command}\n${outcome.stderr}`).toContain(outcome.ending);
    if (/^(done|rolled-back)/.test(outcome.stdout)) return run - 1;
  }
  throw new Error('no process got to the end');
}

async function stateOf(
  directory: string,
): Promise<{ entries: readonly LogEntry<FleetEvent>[]; lines: string[][]; status: string | undefined }> {
  await using fleet = await Fleet.create({ hosts: 4, updateDomains: 2, directory });
  const { entries } = fleet.log;
  return { entries, lines: fleet.hosts.map(linesOf), status: fleet.rolloutReport()?.status };
}

describe('a rollout whose process is killed at any moment', () => {
  it.each([1, 2, 3])('patches every host once, seed %i', { timeout: CHAIN_TIMEOUT_MS }, (seed) =>
    withTemporaryFolder(async ({ path }) => {
      expect(await killedUntilItEnds(path, 'forward', seed)).toBeGreaterThan(0);
      const { entries, lines, status } = await stateOf(path);
      expect(status).toBe('done');
      expect(lines).toEqual(Array(4).fill(['applied']));
      expect(checkRollout(entries).violations).toEqual([]);
    }),
  );

  it.each([4, 5])('is taken back from wherever it was, seed %i', { timeout: CHAIN_TIMEOUT_MS }, (seed) =>
    withTemporaryFolder(async ({ path }) => {
      const first = await runChild('rollout', [path, 'forward', String(30 + 5 * seed)]);
      expect(first.ending).toBe('SIGKILL');
      await killedUntilItEnds(path, 'rollback', seed);
      const { entries, lines, status } = await stateOf(path);
      expect(status).toBe('rolled-back');
      expect(lines.some((each) => each.includes('applied'))).toBe(true);
      expect(lines.filter((each) => each.at(-1) === 'applied')).toEqual([]);
      expect(checkRollout(entries).violations).toEqual([]);
    }),
  );
});

it('a second process on the state folder is refused, until the first is gone', { timeout: 60_000 }, () =>
  withTemporaryFolder(async ({ path }) => {
    const script = `
      const { Fleet } = await import(${JSON.stringify(fileURLToPath(new URL('../../dist/index.js', import.meta.url)))});
      await Fleet.create({ hosts: 1, directory: ${JSON.stringify(path)} });
      console.log('open');
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      await expect(Fleet.create({ hosts: 1, directory: path })).rejects.toMatchObject({ code: 'ERR_STATE_LOCKED' });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    await (await Fleet.create({ hosts: 1, directory: path })).close();
  }),
);
