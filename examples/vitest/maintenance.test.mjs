// What a maintenance must not do to its VMs, as vitest tests. Run: npx vitest run --root examples/vitest
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { during, test } from 'standstill/vitest';
import { expect } from 'vitest';

const patches = [fileURLToPath(new URL('./patch.mjs', import.meta.url))];

test('VMs keep memory, steps and time while their host is patched', async ({ host }) => {
  for (const program of ['kv-store', 'queue', 'ticker']) (await host.createVm({ program, memory: '16 MiB' })).start();
  const report = await host.applyMaintenance({ patches });
  expect(readFileSync(join(host.directory, 'patched'), 'utf8')).toBe('version 2\n');
  expect(report).toHavePreservedMemory();
  expect(report).toHaveLostNoSteps();
  expect(report).toHaveResumedWithin('30s');
  expect(report).toHaveClockLagBelow('100ms');
});

test('the test would see it: one bit that flips in the freeze is found', async ({ host }) => {
  const vm = await host.createVm({ program: 'kv-store', memory: '16 MiB' });
  vm.start();
  const report = await host.whileFrozen(vm, () => vm.flipBit(0x5123, 3));
  expect(report).not.toHavePreservedMemory();
});

test('the VMs stand still in the phase of the patch, and run when it is over', async ({ host }) => {
  const vm = await host.createVm({ program: 'queue', memory: '16 MiB' });
  vm.start();
  const report = await during(host.applyMaintenance({ patches }), async (phase) => {
    await phase.reached('patch');
    const { steps } = vm.stats();
    await phase.reached('done');
    expect(vm.stats().steps).toBeGreaterThanOrEqual(steps);
  });
  expect(report.patches).toMatchObject([{ status: 'applied' }]);
});

test('an availability set is updated one update domain at a time', async ({ fleet }) => {
  fleet.createAvailabilitySet({ name: 'web' });
  for (let index = 0; index < 6; index += 1) {
    const vm = await fleet.createVm({ program: 'kv-store', memory: '4 MiB', availabilitySet: 'web' });
    vm.start();
  }
  const report = await fleet.rollout({ patches });
  expect(report).toHaveUpdatedOneDomainAtATime();
  expect(fleet).toHaveAvailability('50%');
});
