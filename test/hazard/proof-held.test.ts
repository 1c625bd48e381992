// A proof that was closed held its VM for a moment longer, by the work that had answered already, so that the next
// proof or snapshot was refused with ERR_BUSY now and then.
import { expect, it } from 'vitest';
import { addon } from '../../src/native/addon.js';

const ROUNDS = 3000;

it('the next proof is not refused once the one before it is closed', async () => {
  const vm = await addon.createVm({
    name: 'proved',
    ramBytes: 2 ** 20,
    program: 'page-writer',
    params: {},
    seed: 1n,
    dutyCycle: 1,
    prefault: false,
  });
  await vm.runUntil(1000);
  for (let round = 0; round < ROUNDS; round++) {
    const proof = await addon.prepareProof(vm, addon.createProgress());
    await proof.atHalt();
    await proof.close();
  }
  const { snapshot } = await vm.snapshot(false, addon.createProgress());
  expect(snapshot.state().steps).toBe(1000);
  vm.close();
});
