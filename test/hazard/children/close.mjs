// usage: close.mjs <hazard>: VMs are closed, and promises left, while work on them is pending.
import {
  endingOf,
  freezeOptions,
  guestMappings,
  guestThreads,
  load,
  MIB,
  NEVER,
  random,
  startedVm,
  survived,
  vmConfig,
} from './standstill.mjs';

const addon = load();
const { below } = random(process.argv[3] ?? 1);

/** Blocks this thread, as a busy program would. */
function spin(us) {
  const until = process.hrtime.bigint() + BigInt(us) * 1000n;
  while (process.hrtime.bigint() < until);
}

async function demandEndings(promises, allowed) {
  for (const ending of await Promise.all(promises.map(endingOf))) {
    if (!allowed.includes(ending)) throw new Error(`Expected one of ${allowed.join(', ')} but received ${ending}`);
  }
}

/** Closes at seeded moments, from before the first reader starts until after some have finished. */
async function closedDuring(begin, config) {
  for (let round = 0; round < 20; round++) {
    const vm = await addon.createVm(vmConfig(config));
    const pending = Array.from({ length: 8 }, () => begin(vm));
    spin(below(8000));
    vm.close();
    await demandEndings(pending, ['resolved', 'ERR_VM_CLOSED', 'ERR_LEASE_REVOKED']);
    await demandEndings([begin(vm)], ['ERR_VM_CLOSED']);
  }
}

async function thousands() {
  const vm = await addon.createVm(vmConfig());
  const frozen = await startedVm(addon);
  const freeze = addon.freeze([frozen], freezeOptions({ budgetNs: 500e6 }));
  const target = await addon.createVm(vmConfig());
  globalThis.held = { vm, frozen, freeze, target };
  return [
    target.runUntil(5e6),
    ...Array.from({ length: 3000 }, () => vm.digest()),
    ...Array.from({ length: 1000 }, () => vm.check()),
    ...Array.from({ length: 1000 }, () => freeze.settled()),
  ];
}

const hazards = {
  'close during a digest': () => closedDuring((vm) => vm.digest(), { ramBytes: 16 * MIB, prefault: true }),
  'close during a check': () => closedDuring((vm) => vm.check(), { ramBytes: 16 * MIB, program: 'kv-store' }),
  async 'close during a runUntil'() {
    for (let round = 0; round < 20; round++) {
      const vm = await addon.createVm(vmConfig());
      const pending = vm.runUntil(NEVER);
      spin(below(2000));
      vm.close();
      await demandEndings([pending], ['ERR_VM_CLOSED']);
    }
  },
  /** The guest halts of its own accord, and tells so from its thread, while it is being joined. */
  async 'close as a runUntil arrives'() {
    for (let round = 0; round < 300; round++) {
      const vm = await addon.createVm(vmConfig({ ramBytes: MIB }));
      const pending = vm.runUntil(1 + below(40_000));
      spin(below(100));
      vm.close();
      await demandEndings([pending], ['resolved', 'ERR_VM_CLOSED']);
    }
  },
  async 'close while an epoch ends, a freeze holds and readers read'() {
    const vms = [await startedVm(addon, { program: 'kv-store' }), await startedVm(addon)];
    vms[0].endEpoch();
    const freeze = addon.freeze(vms, freezeOptions());
    const pending = [freeze.settled(), ...vms.map((vm) => vm.digest()), ...vms.map((vm) => vm.check())];
    vms[0].close();
    freeze.release();
    vms[1].close();
    await demandEndings(pending, ['resolved', 'ERR_VM_CLOSED', 'ERR_LEASE_REVOKED', 'ERR_VM_NOT_PAUSED']);
    if (freeze.records().length !== 2) throw new Error('Expected two records');
  },
  async 'release of a freeze under its readers'() {
    const vm = await startedVm(addon, { ramBytes: 64 * MIB, prefault: true });
    for (let round = 0; round < 20; round++) {
      const freeze = addon.freeze([vm], freezeOptions());
      const pending = Array.from({ length: 4 }, () => vm.digest());
      spin(below(8000));
      freeze.release();
      await demandEndings(pending, ['resolved', 'ERR_LEASE_REVOKED', 'ERR_VM_NOT_PAUSED']);
    }
  },
  async 'a deadline under its readers'() {
    const vm = await startedVm(addon, { ramBytes: 64 * MIB, prefault: true });
    for (let round = 0; round < 20; round++) {
      // Long enough for the handshake on a busy machine; the readers need longer.
      const freeze = addon.freeze([vm], freezeOptions({ budgetNs: 20e6 + below(8e6) }));
      const pending = Array.from({ length: 12 }, () => vm.digest());
      await demandEndings(pending, ['resolved', 'ERR_LEASE_REVOKED', 'ERR_VM_NOT_PAUSED']);
      await freeze.settled();
      if (freeze.records()[0].resumedBy !== 'deadline') throw new Error('Expected the deadline to resume');
    }
  },
  async 'thousands of pending promises, all settled'() {
    await Promise.all(await thousands());
  },
  async 'thousands of pending promises at process.exit'() {
    await thousands();
    survived();
    process.exit(0);
  },
  async 'thousands of pending promises left to a natural exit'() {
    await thousands();
  },
  async 'close twice, and everything after it'() {
    const vm = await startedVm(addon);
    vm.close();
    vm.close();
    for (const use of [
      () => vm.start(),
      () => vm.pause(1e9),
      () => vm.resume(),
      () => vm.stats(),
      () => vm.registers(),
      () => vm.read(0, 8),
      () => vm.flipBit(0, 0),
      () => vm.endEpoch(),
      () => addon.freeze([vm], freezeOptions()),
    ]) {
      await demandEndings([(async () => use())()], ['ERR_VM_CLOSED']);
    }
    await demandEndings([vm.digest(), vm.check(), vm.runUntil(1)], ['ERR_VM_CLOSED']);
    if (vm.state() !== 'closed' || guestThreads() !== 0 || guestMappings() !== 0)
      throw new Error('Expected nothing left');
  },
};

await hazards[process.argv[2]]();
survived();
