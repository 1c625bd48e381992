// P11: rollbacks a second of 64 pages written here and there: alone, as the engine times them inside an exploration, and
// the exploration as a user has it, which makes the 64 steps that write them, too.
import { formatBytes, GIB, MIB, PAGE_BYTES } from '../../base/units.js';
import { EmulatedVm } from '../../vm/emulated-vm.js';
import type { BenchCase, MetricDraft } from '../case.js';
import { freeSnapshots } from '../guest.js';
import { type Series, summarise } from '../series.js';
import { timed } from '../wait.js';

const SIZES = [64 * MIB, GIB, 8 * GIB];
const DIRTY_PAGES = 64;
const PER_SECOND_MIN = 50_000;
/** The limit's two buffers: beyond this they are as cold as larger ones. */
const LIMIT_BYTES_MAX = GIB;

const perSecond = (runs: number, ns: number) => (runs / ns) * 1e9;

/** One write a step, at random: in RAM of these sizes almost every one is to another page. */
async function prepare(ramBytes: number, signal: AbortSignal) {
  const vm = await EmulatedVm.create({ program: 'page-writer', memory: ramBytes, prefault: true });
  try {
    await vm.runUntil(100_000);
    return { ramBytes, vm, snapshot: await vm.snapshot({ signal }) };
  } catch (error) {
    vm.close();
    throw error;
  }
}

interface Member extends Awaited<ReturnType<typeof prepare>> {
  readonly engine: Series;
  readonly explore: Series;
  readonly limit: Series;
  readonly call: Series;
  readonly pages: number[];
}

export const rollback: BenchCase = {
  name: 'rollback',
  promise: 'P11',
  summary: 'rollbacks a second of 64 dirty pages, in the engine and by vm.explore; limit: memcpy of 64 pages',
  params: ['memoryBytes', 'dirtyBytes'],
  seconds: 25,
  async run({ limits, quick, freeBytes, params, signal, latencies, figures, inTurns }) {
    const rounds = quick ? 3 : 30;
    const runs = quick ? 500 : 5000;
    const calls = quick ? 30 : 40;
    const steps = params.dirtyBytes === undefined ? DIRTY_PAGES : Math.ceil(params.dirtyBytes / PAGE_BYTES);
    const usual = SIZES.filter((ramBytes) => ramBytes <= (quick ? 64 * MIB : freeBytes / 2));
    const members: Member[] = [];
    try {
      for (const ramBytes of params.memoryBytes === undefined ? usual : [params.memoryBytes]) {
        signal.throwIfAborted();
        const series = { engine: figures(), explore: figures(), limit: figures(), call: latencies() };
        members.push({ ...(await prepare(ramBytes, signal)), ...series, pages: [] });
      }
      await inTurns(
        rounds,
        members.map((member) => async ({ warmUp }: { warmUp: boolean }) => {
          const { vm, snapshot } = member;
          const { value, ns } = await timed(() => vm.explore(snapshot, { runs, steps, check: false }));
          for (let i = 0; i < calls; i++) {
            await vm.runUntil(snapshot.steps + steps);
            const call = await timed(() => vm.rollback(snapshot));
            if (!warmUp) member.call.record(call.ns);
          }
          const mib = Math.min(member.ramBytes, LIMIT_BYTES_MAX) / MIB;
          const copied = await limits?.ask('copy-pages', 200, mib, steps);
          if (warmUp) return;
          member.engine.record(perSecond(value.runs, value.rollbackNs));
          member.explore.record(perSecond(value.runs, ns));
          member.pages.push(value.pagesRestored / value.runs);
          member.limit.recordAll((copied?.elapsedNs ?? []).map((elapsedNs) => perSecond(1, elapsedNs)));
        }),
      );
    } finally {
      for (const { vm } of members) vm.close();
      await freeSnapshots();
    }
    return members.flatMap(({ ramBytes, engine, explore, limit, call, pages }) => {
      const isPromised = ramBytes === SIZES[0] && steps === DIRTY_PAGES;
      const draft = (how: string, ours: Series): MetricDraft => ({
        title: `rollback ${how}, ${formatBytes(ramBytes)}`,
        params: { ramBytes, dirtyPages: steps },
        unit: 'ops/s',
        ours,
        limit: { name: `memcpy of ${steps} pages here and there`, series: limit },
        ...(isPromised && { target: { text: '≥ 50,000 / s', atLeast: { p50: PER_SECOND_MIN } } }),
        details: { pagesARollback: summarise(pages), oneCallFromJavaScriptNs: call.summary() },
      });
      return [draft('in the engine', engine), draft(`by vm.explore with ${steps} steps`, explore)];
    });
  },
};
