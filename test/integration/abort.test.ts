import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, MaintenanceEvent, MaintenancePhase, Vm } from 'standstill';
import { afterEach, describe, expect, it } from 'vitest';
import { expectToRun, runningHost } from '../fixtures/hosts.js';
import { patchPath } from '../fixtures/patches.js';

let host: Host;
let vms: Vm[];
afterEach(() => host.close());

async function start(): Promise<void> {
  ({ host, vms } = await runningHost(['kv-store', 'ticker']));
}

const PHASES: MaintenancePhase[] = [
  'quiesce',
  'freeze',
  'digest-at-halt',
  'patch',
  'digest-at-release',
  'release',
  'clock-sync',
  'check',
  'done',
];

const at =
  (phase: MaintenancePhase, action: () => void) =>
  (event: MaintenanceEvent): void => {
    if (event.type === 'phase' && event.phase === phase) action();
  };

describe.each(PHASES)('at %s', (phase) => {
  it('an abort resumes the VMs and rejects with ERR_ABORTED', async () => {
    await start();
    const controller = new AbortController();
    const maintenance = host.applyMaintenance({
      patches: [patchPath('writes-file.mjs')],
      signal: controller.signal,
      onEvent: at(phase, () => controller.abort('enough')),
    });
    await expect(maintenance).rejects.toMatchObject({ code: 'ERR_ABORTED', cause: 'enough' });
    for (const vm of vms) await expectToRun(vm);
    expect((await host.applyMaintenance()).ok).toBe(true);
  });

  it('an error of the listener resumes the VMs and is what it rejects with', async () => {
    await start();
    const onEvent = at(phase, () => {
      throw new Error('deliberate');
    });
    await expect(host.applyMaintenance({ onEvent })).rejects.toThrow('deliberate');
    for (const vm of vms) await expectToRun(vm);
    expect((await host.applyMaintenance()).ok).toBe(true);
  });

  it('closing the host closes the VMs and rejects with ERR_ABORTED', async () => {
    await start();
    let closing: Promise<void> | undefined;
    const onEvent = at(phase, () => {
      closing = host.close();
    });
    const maintenance = host.applyMaintenance({ patches: [patchPath('writes-file.mjs')], onEvent });
    await expect(maintenance).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    await closing;
    expect(vms.map((vm) => vm.state)).toEqual(['closed', 'closed']);
    expect(existsSync(host.directory)).toBe(false);
  });
});

it('an abort before it begins freezes nothing', async () => {
  await start();
  await expect(host.applyMaintenance({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  expect(vms[0]?.stats().clock.pausedTotalNs).toBe(0);
});

it.each(['waits.mjs', 'loops.mjs'])(
  'an abort while %s runs resumes the VMs at once, and ends the patch',
  async (name) => {
    await start();
    const controller = new AbortController();
    const maintenance = host.applyMaintenance({ patches: [patchPath(name)], signal: controller.signal });
    await expect.poll(() => existsSync(join(host.directory, 'started')), { timeout: 20_000 }).toBe(true);
    expect(vms[0]?.state).toBe('paused');
    controller.abort();
    expect(vms[0]?.state).toBe('running');
    await expect(maintenance).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    expect(existsSync(join(host.directory, 'stopped'))).toBe(name === 'waits.mjs');
    expect((await host.applyMaintenance()).ok).toBe(true);
  },
);
