import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Host } from 'standstill';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Workshop } from '../fixtures/bundles.js';
import { runCli } from '../fixtures/cli.js';

let workshop: Workshop;
let trust: string;
beforeEach(() => {
  workshop = new Workshop();
  trust = join(workshop.path, 'key.pub.pem');
  writeFileSync(trust, workshop.keys.publicKey);
});
afterEach(() => workshop[Symbol.dispose]());

it('run --patch applies a bundle that it trusts, to a host made for it', async () => {
  const args = ['run', '--patch', await workshop.bundle(), '--trust', trust, '--vms', '1', '--memory', '1MiB'];
  const shown = await runCli([...args, '--duration', '10ms']);
  expect(shown).toMatchObject({ exitCode: 0, stderr: '' });
  expect(shown.stdout).toMatch(/agent 1\.0\.0 → 1\.1\.0 committed.*staged before the freeze/s);
  const { stdout } = await runCli([...args, '--duration', '10ms', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ ok: true, result: 'done', update: { outcome: 'committed' } });
});

it('run --patch refuses a bundle of somebody else: exit code 1, and why', async () => {
  const { exitCode, stderr, stdout } = await runCli(['run', '--patch', await workshop.bundle(), '--vms', '1']);
  expect([exitCode, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^error: .*no key is trusted.* \(ERR_BUNDLE_UNTRUSTED\)\n$/);
});

it('run --host keeps what was applied', async () => {
  const directory = join(workshop.path, 'host');
  mkdirSync(directory);
  {
    await using host = await Host.create({ directory });
    await workshop.install(host);
  }
  const args = ['--patch', await workshop.bundle(), '--trust', trust, '--host', directory];
  const first = await runCli(['run', ...args, '--vms', '1', '--memory', '1MiB', '--duration', '10ms']);
  expect(first).toMatchObject({ exitCode: 0, stderr: '' });
  const again = await runCli(['plan', ...args]);
  expect(again.exitCode).toBe(1);
  expect(again.stdout).toMatch(/agent is at 1\.1\.0 already/);
});

it('plan shows the patches in their order, and applies nothing', async () => {
  const needy = await workshop.bundle({ id: 'needy', component: 'tool', dependencies: { agent: '>=1.1' } });
  const args = ['plan', '--patch', needy, '--patch', await workshop.bundle(), '--trust', trust];
  const shown = await runCli(args);
  expect(shown).toMatchObject({ exitCode: 0, stderr: '' });
  expect(shown.stdout).toMatch(/agent-update .*applies\nneedy .*applies.*impact: pause, 40\.0 ms of a budget/s);
  const { stdout } = await runCli([...args, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ qualifies: true, patches: [{ name: 'agent-update' }, { name: 'needy' }] });
});

it('plan says why not: exit code 1', async () => {
  const reboot = await workshop.bundle({ impact: 'reboot' });
  const refused = await runCli(['plan', '--patch', reboot, '--trust', trust, '--json']);
  expect(refused.exitCode).toBe(1);
  expect(JSON.parse(refused.stdout).patches[0].refusals).toMatchObject([{ reason: 'reboot-required' }]);
  expect((await runCli(['plan', '--patch', reboot, '--trust', trust, '--allow-reboot'])).exitCode).toBe(0);
  expect((await runCli(['plan'])).exitCode).toBe(2);
});
