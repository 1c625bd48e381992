// Standstill under Jest, by its functions and as Jest's own matchers. Run: npm install && npm test
import { expect, test } from '@jest/globals';
import { Host } from 'standstill';
import { assertLostNoSteps, assertMemoryPreserved, standstillMatchers } from 'standstill/testing';

expect.extend(standstillMatchers);

test('a VM keeps memory, steps and time while its host is patched', async () => {
  const host = await Host.create();
  try {
    const vm = await host.createVm({ program: 'kv-store', memory: '16 MiB' });
    vm.start();
    const report = await host.applyMaintenance();
    assertMemoryPreserved(report);
    assertLostNoSteps(report);
    expect(report).toHaveResumedWithin('30s');
    expect(report).toHaveClockLagBelow('100ms');
  } finally {
    await host.close();
  }
});

test('one bit that flips in the freeze is found', async () => {
  const host = await Host.create();
  try {
    const vm = await host.createVm({ program: 'kv-store', memory: '16 MiB' });
    vm.start();
    const report = await host.whileFrozen(vm, () => vm.flipBit(0x5123, 3));
    expect(report).not.toHavePreservedMemory();
    expect(() => assertMemoryPreserved(report)).toThrow(/the first is page 0x5, at 0x5000/);
  } finally {
    await host.close();
  }
});
