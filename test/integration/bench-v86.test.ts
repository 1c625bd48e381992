// v86 as a peer of a pause: there where the user has installed it, and else left out with the way to get it.
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { benchResultSchema } from '../../src/bench/result-schema.js';
import { runCli, withTemporaryFolder } from '../fixtures/cli.js';

const ARGS = ['bench', '--quick', '--only', 'pause-peers', '--json'];
const SAMPLES = 3 * 40;

async function pausePeersIn(folder: string) {
  // No native program: what is tested here is the peer, and a build of them takes a minute.
  const { exitCode, stdout, stderr } = await runCli(ARGS, { STANDSTILL_BENCH_PROGRAMS: folder }, folder);
  expect([exitCode, stderr]).toEqual([0, expect.stringContaining('pause-peers')]);
  const [metric] = benchResultSchema.parse(JSON.parse(stdout)).metrics;
  return { metric, v86: metric?.references.find(({ name }) => name.startsWith('v86')) };
}

it('v86 is left out where it is not installed, with the way to get it', { timeout: 120_000 }, async () => {
  await withTemporaryFolder(async ({ path }) => {
    const { metric, v86 } = await pausePeersIn(path);
    expect(v86).toBeUndefined();
    expect(metric?.notes).toContain('v86 was not measured: it is not installed in this folder (npm install v86)');
  });
});

it('v86 takes its turns where it is installed', { timeout: 300_000 }, async () => {
  await withTemporaryFolder(async ({ path }) => {
    const install = ['install', '--prefix', path, '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
    await promisify(execFile)('npm', [...install, 'v86@0.5.462'], { cwd: path });
    const { metric, v86 } = await pausePeersIn(path);
    expect(metric?.notes.filter((note) => note.startsWith('v86'))).toEqual([]);
    expect(v86).toMatchObject({ role: 'peer', differs: expect.stringContaining('worker thread') });
    expect(v86?.measurement.summary.samples).toBe(SAMPLES);
    expect(v86?.ratio).not.toBeNull();
  });
});

it('a v86 that does not work is told and costs no other peer', { timeout: 120_000 }, async () => {
  await withTemporaryFolder(async ({ path }) => {
    const folder = join(path, 'node_modules', 'v86');
    await mkdir(join(folder, 'build'), { recursive: true });
    await writeFile(
      join(folder, 'package.json'),
      JSON.stringify({ name: 'v86', version: '9.9.9', main: 'build/x.js' }),
    );
    await writeFile(join(folder, 'build', 'x.js'), "throw new Error('no such luck');");
    const { metric, v86 } = await pausePeersIn(path);
    expect(v86).toBeUndefined();
    expect(metric?.measurement.summary.samples).toBe(SAMPLES);
    expect(metric?.notes).toContainEqual(expect.stringMatching(/^v86 was not measured: .*9\.9\.9.*no such luck/));
  });
});
