// usage: node --expose-gc collect.mjs <hazard>: what nobody refers to is collected, and its guest ends.
import {
  collect,
  endingOf,
  eventually,
  freezeOptions,
  guestMappings,
  guestThreads,
  load,
  MIB,
  NEVER,
  startedVm,
  survived,
  vmConfig,
} from './standstill.mjs';

const addon = load();

function demand(condition, what) {
  if (!condition) throw new Error(`Expected ${what}`);
}

async function everythingGoes(ram = true) {
  await eventually('no guest thread and no guest RAM', async () => {
    await collect();
    return guestThreads() === 0 && (guestMappings() === 0 || !ram);
  });
}

// Each makes its VMs in a function of its own, so that no frame keeps them.
const hazards = {
  async 'a VM that was never started'() {
    await (async () => void (await addon.createVm(vmConfig())))();
    await everythingGoes();
  },
  async 'a running VM'() {
    await (async () => {
      const vm = await startedVm(addon);
      await eventually('a guest', () => vm.state() === 'running' && guestThreads() === 1 && guestMappings() === 1);
    })();
    await everythingGoes();
  },
  async 'a paused VM'() {
    await (async () => void (await startedVm(addon)).pause(5e9))();
    await everythingGoes();
  },
  async 'an idle VM'() {
    await (async () => void (await startedVm(addon, { program: 'idle', params: { wakeIntervalUs: 60e6 } })))();
    await everythingGoes();
  },
  async 'a VM in a freeze that is held'() {
    const freeze = await (async () => addon.freeze([await startedVm(addon)], freezeOptions()))();
    await everythingGoes();
    demand(freeze.records()[0].resumedBy === null, 'nobody to have resumed it');
    freeze.release();
    await freeze.settled();
  },
  async 'a VM and its freeze'() {
    await (async () => void addon.freeze([await startedVm(addon)], freezeOptions()))();
    await everythingGoes();
  },
  async 'a VM with pending digests and checks'() {
    const endings = await (async () => {
      const vm = await addon.createVm(vmConfig({ ramBytes: 64 * MIB, prefault: true }));
      return [
        ...Array.from({ length: 20 }, () => endingOf(vm.digest())),
        ...Array.from({ length: 20 }, () => endingOf(vm.check())),
      ];
    })();
    await collect();
    for (const ending of await Promise.all(endings)) {
      demand(
        ['resolved', 'ERR_VM_CLOSED', 'ERR_LEASE_REVOKED'].includes(ending),
        `a closed VM's ending, not ${ending}`,
      );
    }
    await everythingGoes();
  },
  async 'a VM with a pending runUntil'() {
    const ending = await (async () => ({ promise: endingOf((await addon.createVm(vmConfig())).runUntil(NEVER)) }))();
    await everythingGoes();
    demand((await ending.promise) === 'ERR_VM_CLOSED', 'ERR_VM_CLOSED');
  },
  async 'an unreleased freeze: its VMs run on'() {
    const vms = [await startedVm(addon), await startedVm(addon, { program: 'kv-store' })];
    (() => void addon.freeze(vms, freezeOptions()))();
    demand(
      vms.every((vm) => vm.state() === 'paused'),
      'frozen VMs',
    );
    await eventually('VMs that run', async () => {
      await collect();
      return vms.every((vm) => vm.state() === 'running');
    });
  },
  async 'an unreleased freeze with a pending settled()'() {
    const vm = await startedVm(addon);
    const settled = (() => addon.freeze([vm], freezeOptions()).settled())();
    await eventually('a VM that runs', async () => {
      await collect();
      return vm.state() === 'running';
    });
    await settled;
  },
  async 'a thousand cycles of create and close'() {
    // The resident size counts what the collector has not returned yet, and the allocator's free lists.
    const slackBytes = 24 * MIB;
    const cycle = async (round) => {
      const vm = await addon.createVm(vmConfig({ ramBytes: MIB, seed: BigInt(round) }));
      vm.start();
      if (round % 3 === 0) vm.pause(5e9);
      if (round % 5 === 0) addon.freeze([vm], freezeOptions());
      vm.close();
    };
    const look = async () => {
      await collect();
      await collect();
      const { readdirSync } = await import('node:fs');
      return {
        rssBytes: process.memoryUsage.rss(),
        threads: readdirSync('/proc/self/task').length,
        files: readdirSync('/proc/self/fd').length,
      };
    };
    for (let round = 0; round < 100; round++) await cycle(round);
    const before = await look();
    for (let round = 0; round < 1000; round++) await cycle(round);
    const after = await look();
    demand(guestThreads() === 0 && guestMappings() === 0, 'no guest left');
    // The pool's own threads start when they are first needed.
    const threadsMax = before.threads + addon.engineInfo().poolThreads;
    demand(after.threads <= threadsMax, `at most ${threadsMax} threads but received ${after.threads}`);
    demand(after.files <= before.files, `no more than ${before.files} files but received ${after.files}`);
    const grownBytes = after.rssBytes - before.rssBytes;
    demand(grownBytes < slackBytes, `growth below ${slackBytes} bytes but received ${grownBytes}`);
    console.log(JSON.stringify({ before, after }));
  },
};

await hazards[process.argv[2]]();
survived();
