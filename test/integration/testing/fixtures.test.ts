// However a test ends, the fixtures leave nothing behind: no process, running or frozen, and no folder.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { withTemporaryFolder } from '../../fixtures/cli.js';
import { isAlive } from '../../fixtures/guests.js';
import { runVitest, writeProject } from '../../fixtures/vitest.js';

const SUITE = `
import { appendFileSync } from 'node:fs';
import { test } from 'standstill/vitest';
import { describe, expect } from 'vitest';

async function guest(host) {
  const vm = await host.createProcessVm({ command: 'sleep', args: ['1000'] });
  vm.start();
  appendFileSync('made.ndjson', JSON.stringify({ pid: vm.stats().pid, directory: host.directory }) + '\\n');
  return vm;
}

test('passes', async ({ host }) => void (await guest(host)));
test('throws', async ({ host }) => {
  await guest(host);
  throw new Error('of the test');
});
test('fails with a guest frozen', async ({ host }) => {
  const vm = await guest(host);
  host.freeze({ vms: [vm] });
  expect(1).toBe(2);
});
test('times out in a freeze', { timeout: 1500 }, async ({ host }) => {
  const vm = await guest(host);
  await host.whileFrozen(vm, () => new Promise(() => {}));
});
test('gives a fleet', async ({ fleet }) => {
  await guest(fleet.hosts[0]);
  throw new Error('of the test');
});
describe('options', () => {
  test.override({ hostOptions: { name: 'own' }, fleetOptions: { hosts: 3 } });
  test('are taken', ({ host, fleet }) => {
    expect([host.name, fleet.hosts.length]).toEqual(['own', 3]);
  });
});
`;

it('closes what it gave, whether the test passes, throws, or times out in a freeze', { timeout: 120_000 }, async () => {
  await withTemporaryFolder(async ({ path }) => {
    writeProject(path, { 'suite.test.mjs': SUITE });
    const { output, exitCode } = await runVitest(path);
    expect(output).toMatch(/Tests +4 failed \| 2 passed/);
    expect(output).toContain('Test timed out in 1500ms');
    expect(output).not.toMatch(/Unhandled/);
    expect(exitCode).toBe(1);
    const made = readFileSync(join(path, 'made.ndjson'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(made).toHaveLength(5);
    for (const { pid, directory } of made) {
      expect(pid).toBeGreaterThan(1);
      expect(isAlive(pid)).toBe(false);
      expect(existsSync(directory)).toBe(false);
    }
  });
});
