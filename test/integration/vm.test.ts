import { EmulatedVm, type Vm } from 'standstill';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectToRun } from '../fixtures/hosts.js';

let vm: Vm;
beforeEach(async () => {
  vm = await EmulatedVm.create({ name: 'vm', program: 'kv-store', memory: '1 MiB', seed: 7 });
});
afterEach(() => vm.close());

const code = (name: string) => expect.objectContaining({ name: 'StandstillError', code: name });

it('runs, halts with its memory in place, and runs on', async () => {
  expect(vm.state).toBe('created');
  vm.start();
  await expectToRun(vm);
  expect(vm.pause().latencyNs).toBeGreaterThanOrEqual(0);
  const { steps } = vm.stats();
  const before = await vm.digest();
  expect(vm.stats().steps).toBe(steps);
  expect((await vm.digest()).value).toBe(before.value);
  expect(await vm.check()).toMatchObject({ ok: true, violation: null });
  vm.resume();
  await expectToRun(vm);
});

it('halts exactly at a step, through pauses', async () => {
  const reached = vm.runUntil(50_000);
  vm.pause();
  // On a busy machine the guest may be there already: a resume would let it run on.
  if (vm.stats().steps < 50_000) vm.resume();
  await reached;
  expect(vm.state).toBe('paused');
  expect(vm.stats().steps).toBe(50_000);
});

it('reads copies of its RAM and registers', async () => {
  await vm.runUntil(1000);
  const copy = vm.read(0, 4096);
  expect(copy).toHaveLength(4096);
  copy.fill(0xff);
  expect(vm.read(0, 4096)).not.toEqual(copy);
  expect(vm.registers().length).toBeGreaterThan(0);
});

it('a flipped bit shows in the digest of its page, and only there', async () => {
  await vm.runUntil(1000);
  const before = await vm.digest();
  vm.flipBit(3 * 4096 + 17, 5);
  const after = await vm.digest();
  expect(after.value).not.toBe(before.value);
  const changed = [...after.pageCrcs.keys()].filter((page) => after.pageCrcs[page] !== before.pageCrcs[page]);
  expect(changed).toEqual([3]);
});

it('a sampled digest reads its share, the same pages for the same seed', async () => {
  const sample = () => vm.digest({ share: 0.25, seed: 3n });
  const first = await sample();
  expect(first.bytesRead % 4096).toBe(0);
  expect(first.bytesRead).toBeGreaterThan(0);
  expect(first.bytesRead).toBeLessThan(vm.ramBytes);
  expect((await sample()).value).toBe(first.value);
});

describe('what is refused', () => {
  it.each([
    ['digest', (of: Vm) => of.digest()],
    ['check', (of: Vm) => of.check()],
    ['read', async (of: Vm) => of.read(0, 1)],
    ['registers', async (of: Vm) => of.registers()],
    ['flipBit', async (of: Vm) => of.flipBit(0, 0)],
  ])('%s of a running VM', async (_, operation) => {
    vm.start();
    await expect(operation(vm)).rejects.toThrow(code('ERR_VM_NOT_PAUSED'));
    await expectToRun(vm);
  });

  it.each([
    ['pausing', async (of: Vm) => of.pause()],
    ['resuming', async (of: Vm) => of.resume()],
    ['digest', (of: Vm) => of.digest()],
    ['stats', async (of: Vm) => of.stats()],
    ['runUntil', (of: Vm) => of.runUntil(1)],
  ])('%s of a closed VM', async (_, operation) => {
    vm.close();
    await expect(operation(vm)).rejects.toThrow(code('ERR_VM_CLOSED'));
    expect(vm.state).toBe('closed');
    expect(vm.name).toBe('vm');
  });

  it('addresses and bits outside of RAM', () => {
    expect(() => vm.read(1024 ** 2, 1)).toThrow(code('ERR_INVALID_ARGUMENT'));
    expect(() => vm.read(-1, 1)).toThrow(code('ERR_INVALID_ARGUMENT'));
    expect(() => vm.flipBit(1024 ** 2, 0)).toThrow(code('ERR_INVALID_ARGUMENT'));
    expect(() => vm.flipBit(0, 8)).toThrow(code('ERR_INVALID_ARGUMENT'));
  });

  it.each([0, -1, Number.NaN, 1.5, 2 ** 53])('runUntil(%d) of a VM at step 10', async (step) => {
    await vm.runUntil(10);
    const expected = step === 0 ? 'ERR_STEP_PASSED' : 'ERR_INVALID_ARGUMENT';
    await expect(vm.runUntil(step)).rejects.toThrow(code(expected));
  });

  it('a second runUntil while one is pending', async () => {
    const first = vm.runUntil(2 ** 50);
    await expect(vm.runUntil(2 ** 51)).rejects.toThrow(code('ERR_BUSY'));
    vm.close();
    await expect(first).rejects.toThrow(code('ERR_VM_CLOSED'));
  });

  it('options of pause that are none', () => {
    expect(() => vm.pause({ timeoutMs: 0 })).toThrow(code('ERR_INVALID_OPTION'));
    expect(() => vm.pause({ timeout: 1 } as object)).toThrow(code('ERR_UNKNOWN_OPTION'));
  });
});

it('closes itself when its scope is left', async () => {
  let inner: Vm;
  {
    using scoped = await EmulatedVm.create({ program: 'idle', memory: '1 MiB' });
    inner = scoped;
  }
  expect(inner.state).toBe('closed');
});
