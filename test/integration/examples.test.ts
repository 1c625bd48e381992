// The examples run as their readers run them: with plain node, against the built package.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { runVitest } from '../fixtures/vitest.js';

const root = resolve(import.meta.dirname, '../..');

async function run(example: string, ...args: string[]): Promise<string> {
  const path = `examples/${example}/${example}.mjs`;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [path, ...args], { cwd: root });
  expect(stderr).toBe('');
  return stdout;
}

const numberIn = (text: string, pattern: RegExp) => Number(pattern.exec(text)?.[1]);

test('explore: a bit that flipped has several futures, and one of them is replayed to the step', async () => {
  const [first, second] = [await run('explore', '400'), await run('explore', '400')];
  const masked = numberIn(first, /overwritten unread +(\d+)/);
  const met = numberIn(first, /met by the guest +(\d+)/);
  const latent = numberIn(first, /not yet met +(\d+)/);
  expect(masked + met + latent).toBe(400);
  expect(masked).toBeGreaterThan(0);
  expect(met).toBeGreaterThan(0);
  expect(first).toMatch(/Seed \d+ replayed: the guest meets it at step \d+/);
  const apartFromSpeed = (text: string) => text.replace(/\d+ futures a second/, '');
  expect(apartFromSpeed(second)).toBe(apartFromSpeed(first));
});

test('clone: every worker goes its own way, and all take less than as many copies', async () => {
  const output = await run('clone', '12');
  expect(output).toContain('12 different memories');
  expect(numberIn(output, /(\d+) times as much as the clones/)).toBeGreaterThan(1);
});

test('vitest: a maintenance, its control and a rollout', { timeout: 120_000 }, async () => {
  const { exitCode, output } = await runVitest(root, ['--root', 'examples/vitest']);
  expect(output).toMatch(/Tests +4 passed/);
  expect(exitCode).toBe(0);
});

test('node:test: a store that is frozen and killed has every write that it acknowledged', {
  timeout: 120_000,
}, async () => {
  // Node's runner tells a run within a run by this variable.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ['--test', 'examples/node-test/kept-writes.test.mjs'];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env });
  expect(stdout).toMatch(/pass 1\n[\s\S]*fail 0\n/);
});
