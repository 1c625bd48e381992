// How late the deadline resumes a frozen VM, beside how late a bare sleep of the same length ends.
import { availableParallelism } from 'node:os';
import { setImmediate as turn } from 'node:timers/promises';
import { isStandstillError } from '../../base/errors.js';
import { MIB } from '../../base/units.js';
import { addon } from '../../native/addon.js';
import type { NativeFreeze, NativeVm } from '../../native/contract.js';
import type { BenchCase } from '../case.js';
import { createVm, FREEZE_OPTIONS, HANDSHAKE_TIMEOUT_NS } from '../engine.js';
import { resumedRecordOf } from './resume.js';

/** Also the time that the guest has to halt in: where the machine is busy, it may miss it. */
const BUDGET_NS = 5_000_000;

function freezeBriefly(vm: NativeVm): NativeFreeze | null {
  try {
    return addon.freeze([vm], { ...FREEZE_OPTIONS, budgetNs: BUDGET_NS });
  } catch (error) {
    if (!isStandstillError(error, 'ERR_PAUSE_TIMEOUT')) throw error;
    return null;
  }
}

export const deadline: BenchCase = {
  name: 'deadline',
  promise: null,
  summary: 'lateness of the deadline’s release; limit: clock_nanosleep(TIMER_ABSTIME) in a bare thread',
  seconds: 14,
  async run({ limits, quick, latencies, inTurns }) {
    const rounds = quick ? 4 : 20;
    const perRound = quick ? 30 : 55;
    const late = latencies();
    const lateToRun = latencies();
    const bare = latencies();
    let missed = 0;
    const vm = await createVm({ ramBytes: 16 * MIB });
    vm.start();
    await inTurns(rounds, [
      async ({ warmUp }) => {
        vm.resume();
        for (let i = 0; i < perRound; i++) {
          const freeze = freezeBriefly(vm);
          if (freeze === null) {
            missed += 1;
            continue;
          }
          await freeze.settled();
          const record = await resumedRecordOf(freeze);
          if (record.resumedBy !== 'deadline')
            throw new Error(`Expected the deadline to resume the VM but it was ${record.resumedBy}`);
          if (warmUp) continue;
          const due = record.requestedAtNs + BigInt(BUDGET_NS);
          late.record(Number(record.releasedAtNs - due));
          lateToRun.record(Number(record.resumedAtNs - due));
        }
        vm.pause(HANDSHAKE_TIMEOUT_NS);
      },
      async ({ warmUp }) => {
        const answer = await limits?.ask('sleep', perRound, BUDGET_NS);
        if (!warmUp) bare.recordAll(answer?.lateNs ?? []);
      },
    ]);
    vm.close();
    return [
      {
        title: 'deadline',
        ours: late,
        limit: { name: 'clock_nanosleep(TIMER_ABSTIME)', series: bare },
        notes: missed > 0 ? [`${missed} freezes are left out: the guest was not scheduled within their budget`] : [],
        details: { untilTheGuestsFirstStep: lateToRun.summary() },
      },
    ];
  },
};

export const deadlineBusy: BenchCase = {
  name: 'deadline-busy',
  promise: null,
  summary: 'lateness of the resume after a missed deadline, the event loop blocked and every core busy with guests',
  seconds: 10,
  async run({ quick, latencies, signal }) {
    const freezes = quick ? 40 : 400;
    const [late, lateToRun] = [latencies(), latencies()];
    let missed = 0;
    const busy = await Promise.all(
      Array.from({ length: availableParallelism() }, () => createVm({ ramBytes: 16 * MIB })),
    );
    const vm = await createVm({ ramBytes: 16 * MIB });
    for (const each of [...busy, vm]) each.start();
    for (let i = 0; i < freezes; i++) {
      signal.throwIfAborted();
      const freeze = freezeBriefly(vm);
      if (freeze === null) {
        missed += 1;
        continue;
      }
      // JavaScript does nothing for it: it does not even yield.
      let [record] = freeze.records();
      while (record?.resumedAtNs === 0n) [record] = freeze.records();
      if (record?.resumedBy !== 'deadline') throw new Error('Expected the deadline to resume the VM but it was not');
      const due = record.requestedAtNs + BigInt(BUDGET_NS);
      late.record(Number(record.releasedAtNs - due));
      lateToRun.record(Number(record.resumedAtNs - due));
      await freeze.settled();
      await turn(); // for Ctrl-C
    }
    for (const each of [...busy, vm]) each.close();
    return [
      {
        title: 'deadline-busy',
        ours: late,
        notes: missed > 0 ? [`${missed} freezes are left out: the guest was not scheduled within their budget`] : [],
        details: { untilTheGuestsFirstStep: lateToRun.summary() },
      },
    ];
  },
};
