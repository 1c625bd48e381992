// What each freezer takes to freeze a real program of 1, 10 and 100 processes, beside SIGSTOP and waitpid by somebody who
// knows them all.
import { setTimeout as sleep } from 'node:timers/promises';
import { counted } from '../../base/units.js';
import type { ProcessVm } from '../../process/process-vm.js';
import type { BenchCase, MetricDraft, Side } from '../case.js';
import { sleepers, startProcess } from '../process-guest.js';
import type { Series } from '../series.js';

const FREEZERS = ['cgroup2', 'cgroup1', 'signal'] as const;
const TASKS = [1, 10, 100];
const HANDSHAKE_MS = 10_000;
const DIFFERS = 'children that sleep, known beforehand: nothing is walked, nothing born meanwhile is looked for';

export const processFreeze: BenchCase = {
  name: 'process-freeze',
  promise: null,
  summary: 'all tasks of a real program frozen, and running again, by each freezer; limit: SIGSTOP → waitpid',
  seconds: 30,
  async run(context) {
    const { limits, quick, latencies, inTurns } = context;
    const rounds = quick ? 3 : 20;
    const perRound = quick ? 5 : 20;
    const drafts: MetricDraft[] = [];
    for (const tasks of TASKS) {
      const bare = latencies();
      const vms: ProcessVm[] = [];
      const sides: Side[] = [];
      if (limits !== null) sides.push(bareSide(() => limits.ask('sigstop-many', perRound, tasks), bare));
      try {
        for (const freezer of FREEZERS) {
          const vm = await startProcess(sleepers(tasks, freezer), context);
          if (vm === null) continue;
          vms.push(vm);
          const [halts, resumes] = [latencies(), latencies()];
          sides.push(async ({ warmUp }) => {
            for (let i = 0; i < perRound; i += 1) {
              await sleep(1);
              const { haltNs, resumeNs } = freezeOnce(vm);
              if (!warmUp) halts.record(haltNs);
              if (!warmUp) resumes.record(resumeNs);
            }
          });
          const limit = { name: 'SIGSTOP → waitpid', series: bare, differs: DIFFERS };
          const what = `${freezer}, ${counted(tasks, 'task')}`;
          const params = { freezer, tasks };
          const chart = { title: `process-freeze ${tasks}`, label: freezer };
          drafts.push({ title: `process-freeze ${what}`, params, ours: halts, limit, chart });
          drafts.push({ title: `process-freeze resume ${what}`, params, ours: resumes });
        }
        await inTurns(rounds, sides);
      } finally {
        for (const vm of vms) vm.close();
      }
    }
    return drafts;
  },
};

const bareSide =
  (ask: () => Promise<{ haltNs: number[] }>, series: Series): Side =>
  async ({ warmUp }) => {
    const { haltNs } = await ask();
    if (!warmUp) series.recordAll(haltNs);
  };

/** By the supervisor's own stamps: from the request to the last task, and from the thaw to the kernel's word. */
function freezeOnce(vm: ProcessVm): { haltNs: number; resumeNs: number } {
  const freeze = vm.freeze({ handshakeTimeoutMs: HANDSHAKE_MS });
  freeze.release();
  const [record] = freeze.records();
  if (record === undefined) throw new Error('a freeze of one VM has one record');
  return {
    haltNs: Number(record.haltedAtNs - record.requestedAtNs),
    resumeNs: Number(record.resumedAtNs - record.releasedAtNs),
  };
}
