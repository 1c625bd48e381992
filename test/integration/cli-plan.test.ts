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

it('plan --hosts shows what a rollout over a fleet would do, as rollout --plan does', async () => {
  const fleet = ['--hosts', '2', '--vms', '4', '--set', 'web', '--domains', '2'];
  const patches = ['--patch', await workshop.bundle(), '--trust', trust];
  const { exitCode, stdout, stderr } = await runCli(['plan', ...fleet, ...patches, '--json']);
  expect([exitCode, stderr]).toEqual([0, '']);
  const planned = JSON.parse(stdout);
  expect(planned).toMatchObject({
    qualifies: true,
    steps: [
      { updateDomain: 0, hosts: ['host-1'] },
      { updateDomain: 1, hosts: ['host-2'] },
    ],
    maintenances: [
      { host: 'host-1', updateDomain: 0, maintenance: { impact: 'pause', vms: ['web-0', 'web-2'] } },
      { host: 'host-2', maintenance: { expectedBlackoutMs: 20, patches: [{ name: 'agent-update', qualifies: true }] } },
    ],
  });
  const same = await runCli(['rollout', ...fleet, ...patches, '--plan', '--json']);
  expect(JSON.parse(same.stdout)).toEqual(planned);
  const untrusted = await runCli(['plan', ...fleet, '--patch', await workshop.bundle()]);
  expect(untrusted.exitCode).toBe(1);
  expect(untrusted.stdout).toMatch(
    /host-1 +0 +pause +20\.0 ms +agent-update +refused.*host-2, agent-update: .*untrusted/s,
  );
  expect((await runCli(['plan', ...patches, '--vms', '4'])).exitCode).toBe(2);
  expect((await runCli(['plan', ...patches, '--hosts', '2', '--host', workshop.path])).exitCode).toBe(2);
});

it('rollout applies bundles that it trusts', async () => {
  const args = ['rollout', '--hosts', '2', '--vms', '2', '--memory', '1MiB', '--duration', '10ms', '--json'];
  const { exitCode, stdout } = await runCli([...args, '--patch', await workshop.bundle(), '--trust', trust]);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout).report).toMatchObject({ ok: true, status: 'done', blackout: { samples: 2 } });
});

it('plan says why not: exit code 1', async () => {
  const reboot = await workshop.bundle({ impact: 'reboot' });
  const refused = await runCli(['plan', '--patch', reboot, '--trust', trust, '--json']);
  expect(refused.exitCode).toBe(1);
  expect(JSON.parse(refused.stdout).patches[0].refusals).toMatchObject([{ reason: 'reboot-required' }]);
  expect((await runCli(['plan', '--patch', reboot, '--trust', trust, '--allow-reboot'])).exitCode).toBe(0);
  expect((await runCli(['plan'])).exitCode).toBe(2);
});
