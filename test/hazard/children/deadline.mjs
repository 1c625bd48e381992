// usage: deadline.mjs <hazard>: a freeze's deadline against a busy, a closed and a leaving program.
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually, freezeOptions, load, startedVm, survived } from './standstill.mjs';

const addon = load();
const BUDGET_NS = 200e6;

function demand(condition, what) {
  if (!condition) throw new Error(`Expected ${what}`);
}

function block(ms) {
  const until = process.hrtime.bigint() + BigInt(ms) * 1_000_000n;
  while (process.hrtime.bigint() < until);
}

function freezeOrNothing(vms, options) {
  try {
    return addon.freeze(vms, options);
  } catch (error) {
    if (error.code !== 'ERR_PAUSE_TIMEOUT') throw error;
    return null;
  }
}

const hazards = {
  async 'passes while the event loop is blocked'() {
    const vms = [await startedVm(addon), await startedVm(addon, { program: 'kv-store' })];
    const freeze = addon.freeze(vms, freezeOptions({ budgetNs: BUDGET_NS }));
    block(3000);
    const unblockedAtNs = process.hrtime.bigint();
    const steps = vms.map((vm) => vm.stats().steps);
    freeze.records().forEach((record, i) => {
      demand(record.resumedBy === 'deadline', `deadline but received ${record.resumedBy}`);
      demand(record.resumedAtNs - record.requestedAtNs >= BigInt(BUDGET_NS), 'the whole budget to pass');
      demand(unblockedAtNs - record.resumedAtNs > 2_000_000_000n, 'a resume long before the loop was free');
      demand(record.stepsAtRelease === record.stepsAtHalt, 'no step in the freeze');
      demand(steps[i] > record.stepsAtRelease, 'steps before the loop was free');
    });
    demand(freeze.remainingNs() < 0 && freeze.released, 'a freeze that is over');
    freeze.release();
    await freeze.settled();
    demand(freeze.records()[0].resumedBy === 'deadline', 'a late release to change nothing');
  },
  async 'passes after all its VMs were closed'() {
    const vms = [await startedVm(addon), await startedVm(addon, { program: 'idle' })];
    const freeze = addon.freeze(vms, freezeOptions({ budgetNs: BUDGET_NS }));
    for (const vm of vms) vm.close();
    await freeze.settled();
    for (const record of freeze.records()) demand(record.resumedBy === null, 'nobody to have resumed a closed VM');
  },
  async 'does not touch the next freeze of the same VM'() {
    const vm = await startedVm(addon);
    const first = addon.freeze([vm], freezeOptions({ budgetNs: BUDGET_NS }));
    first.release();
    const second = addon.freeze([vm], freezeOptions());
    await sleep(400);
    demand(vm.state() === 'paused' && !second.released, 'the second freeze to hold');
    second.release();
    await eventually('a VM that runs', () => vm.state() === 'running');
    demand(second.records()[0].resumedBy === 'caller', 'the caller to have resumed it');
  },
  async 'passes while the VMs are being released'() {
    const vms = [await startedVm(addon), await startedVm(addon, { program: 'idle' })];
    for (let round = 0; round < 100; round++) {
      // On a busy machine so short a budget may end before the guests have halted: nothing has changed then.
      const freeze = freezeOrNothing(vms, freezeOptions({ budgetNs: 5e6 }));
      if (freeze !== null) {
        while (freeze.remainingNs() > (round % 20) * 5000);
        freeze.release();
        for (const { resumedBy } of freeze.records()) demand(resumedBy !== null, 'each VM to be resumed by someone');
      }
      demand(
        vms.every((vm) => ['running', 'idle'].includes(vm.state())),
        'VMs that run',
      );
    }
  },
  async 'is to come when the process ends'() {
    const freeze = addon.freeze([await startedVm(addon)], freezeOptions({ budgetNs: 3600e9 }));
    const late = addon.freeze(
      [await startedVm(addon)],
      freezeOptions({ clockSync: { mode: 'step', delayNs: 3600e9, slewPpm: 500 } }),
    );
    late.release(); // its clocks are still to be synchronised
    demand(!freeze.released && late.released, 'one to come and one past');
  },
};

await hazards[process.argv[2]]();
survived();
