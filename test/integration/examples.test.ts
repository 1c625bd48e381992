// The examples run as their readers run them: with plain node, against the built package.
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

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
