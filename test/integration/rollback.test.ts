// Going back to a snapshot: at once where few pages differ, on the engine's threads where many do.
import { describe, expect, test } from 'vitest';
import { Host, type Vm, type VmSnapshot } from '../../src/index.js';

const PAGES_AT_ONCE = 2048;
const PAGE_BYTES = 4096;
const WORDS_A_PAGE = PAGE_BYTES / 8;

/** A VM that has written so many pages, each whole and once, since the snapshot that it begins with. */
async function dirtied(host: Host, pages: number): Promise<{ vm: Vm; snapshot: VmSnapshot }> {
  const vm = await host.createVm({
    program: 'page-writer',
    memory: '16 MiB',
    params: { pattern: 'sequential', workingSet: pages * PAGE_BYTES, writeFraction: 1 },
  });
  await vm.runUntil(1);
  const snapshot = await vm.snapshot();
  await vm.runUntil(1 + pages * WORDS_A_PAGE);
  return { vm, snapshot };
}

function expectToBeAt(snapshot: VmSnapshot, vm: Vm): void {
  expect(vm.stats().steps).toBe(snapshot.steps);
  expect(vm.registers()).toEqual(snapshot.registers());
  expect(Buffer.compare(vm.read(0, vm.ramBytes), snapshot.read(0, vm.ramBytes))).toBe(0);
}

describe('a rollback', () => {
  test('of 2,048 pages is done when the call returns', async () => {
    await using host = await Host.create();
    const { vm, snapshot } = await dirtied(host, PAGES_AT_ONCE);
    const rollback = vm.rollback(snapshot);
    expectToBeAt(snapshot, vm);
    expect(await rollback).toEqual({ pages: PAGES_AT_ONCE });
  });

  test('of more is done when its promise resolves', async () => {
    await using host = await Host.create();
    const { vm, snapshot } = await dirtied(host, PAGES_AT_ONCE + 1);
    expect(await vm.rollback(snapshot)).toEqual({ pages: PAGES_AT_ONCE + 1 });
    expectToBeAt(snapshot, vm);
  });

  test('of one page after another leads to the same run each time', async () => {
    await using host = await Host.create();
    const { vm, snapshot } = await dirtied(host, 64);
    const step = vm.stats().steps;
    const first = (await vm.digest()).value;
    for (let round = 0; round < 50; round++) {
      await vm.rollback(snapshot);
      await vm.runUntil(step);
      expect((await vm.digest()).value).toBe(first);
    }
  });
});
