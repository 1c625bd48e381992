// How late the deadline resumes a frozen VM, beside how late a bare sleep of the same length ends.
import { createVm, FREEZE_OPTIONS, MIB } from '../addon.mjs';
import { LatencySeries } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';

/** Also the time that the guest has to halt in: where the machine is busy, it may miss it. */
const BUDGET_NS = 5_000_000;

function freezeBriefly(addon, vm) {
  try {
    return addon.freeze([vm], { ...FREEZE_OPTIONS, budgetNs: BUDGET_NS });
  } catch (error) {
    if (error.code !== 'ERR_PAUSE_TIMEOUT') throw error;
    return null;
  }
}

export const deadline = {
  name: 'deadline',
  promise: '-',
  summary: 'lateness of the deadline’s release; limit: clock_nanosleep(TIMER_ABSTIME) in a bare thread',
  async run({ addon, limits, quick }) {
    const rounds = quick ? 4 : 20;
    const perRound = quick ? 30 : 55;
    const late = new LatencySeries();
    const lateToRun = new LatencySeries();
    const bare = new LatencySeries();
    let missed = 0;
    const vm = await createVm(addon, { ramBytes: 16 * MIB });
    vm.start();
    const ours = async ({ warmUp }) => {
      vm.resume();
      for (let i = 0; i < perRound; i++) {
        const freeze = freezeBriefly(addon, vm);
        if (freeze === null) {
          missed += 1;
          continue;
        }
        await freeze.settled();
        let [record] = freeze.records();
        while (record.resumedAtNs === 0n) [record] = freeze.records();
        if (record.resumedBy !== 'deadline')
          throw new Error(`Expected the deadline to resume the VM but it was ${record.resumedBy}`);
        if (warmUp) continue;
        const due = record.requestedAtNs + BigInt(BUDGET_NS);
        late.record(Number(record.releasedAtNs - due));
        lateToRun.record(Number(record.resumedAtNs - due));
      }
      vm.pause(1e9);
    };
    const theirs = async ({ warmUp }) => {
      const { lateNs } = await limits.ask('sleep', perRound, BUDGET_NS);
      if (!warmUp) bare.recordAll(lateNs);
    };
    await inTurns(rounds, limits ? [ours, theirs] : [ours]);
    vm.close();
    return [
      caseResult({
        name: 'deadline',
        ours: late.summary(),
        limit: limits && { name: 'clock_nanosleep(TIMER_ABSTIME)', summary: bare.summary() },
        notes: missed > 0 ? [`${missed} freezes are left out: the guest was not scheduled within their budget`] : [],
        details: { untilTheGuestsFirstStep: lateToRun.summary() },
      }),
    ];
  },
};
