// usage: exit.mjs <state> <way>: brings VMs into the state, prints 'ready', and leaves in that way.
import { freezeOptions, load, MIB, NEVER, startedVm, vmConfig } from './standstill.mjs';

const [state, way] = process.argv.slice(2);
const addon = load();

/** Each brings VMs into its state, and answers with the promise that is pending then, if any. */
const states = {
  async running() {
    await startedVm(addon);
    await startedVm(addon, { program: 'kv-store' });
    return {};
  },
  async paused() {
    (await startedVm(addon)).pause(5e9);
    return {};
  },
  async idle() {
    const vm = await startedVm(addon, { program: 'idle', params: { wakeIntervalUs: 60e6 } });
    while (vm.state() !== 'idle');
    return {};
  },
  async frozen() {
    const vms = [await startedVm(addon), await startedVm(addon, { program: 'idle' }), await addon.createVm(vmConfig())];
    globalThis.kept = addon.freeze(vms, freezeOptions());
    return {};
  },
  async digest() {
    const vm = await addon.createVm(vmConfig({ ramBytes: 64 * MIB, prefault: true }));
    return { pending: Promise.all(Array.from({ length: 24 }, () => vm.digest())) };
  },
  async check() {
    const vm = await addon.createVm(vmConfig({ program: 'kv-store', ramBytes: 64 * MIB }));
    return { pending: Promise.all(Array.from({ length: 24 }, () => vm.check())) };
  },
  async 'create with prefault'() {
    return { pending: addon.createVm(vmConfig({ ramBytes: 256 * MIB, prefault: true })) };
  },
  async runUntil() {
    const vm = await addon.createVm(vmConfig());
    // Where nobody ends the process it must come to its end.
    return { pending: vm.runUntil(way === 'natural' ? 20e6 : NEVER) };
  },
  async 'settled of a freeze'() {
    const freeze = addon.freeze([await startedVm(addon)], freezeOptions({ budgetNs: 300e6 }));
    return { pending: freeze.settled() };
  },
};

const ways = {
  natural() {},
  'process.exit'() {
    process.exit(7);
  },
  'process.exit in a callback'() {
    spare.runUntil(0).then(() => process.exit(7));
  },
  'process.exit in the error class'() {
    addon.initialise(
      class {
        constructor() {
          process.exit(7);
        }
      },
    );
    addon.createVm('no configuration');
  },
  'uncaught exception'() {
    setImmediate(() => {
      throw new Error('deliberate');
    });
  },
  'unhandled rejection'() {
    void Promise.reject(new Error('deliberate'));
  },
  SIGTERM: leaveBySignal,
  SIGINT: leaveBySignal,
  SIGKILL: leaveBySignal,
};

function leaveBySignal() {
  setInterval(() => {}, 1000);
  process.kill(process.pid, way);
}

// Made first: the pool takes its tasks in order.
const spare = await addon.createVm(vmConfig());
const { pending } = await states[state]();
pending?.then(() => console.log('settled'));
console.log('ready');
ways[way]();
