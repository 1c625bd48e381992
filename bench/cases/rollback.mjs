// P11: rollbacks a second of 64 pages written here and there: alone, as the engine times them inside an exploration, and
// the exploration as a user has it, which makes the 64 steps that write them, too.
import { GIB, loadLibrary, MIB } from '../addon.mjs';
import { freeSnapshots, sizeName, timed } from '../guest.mjs';
import { LatencySeries, summarise } from '../histogram.mjs';
import { caseResult, inTurns } from '../results.mjs';

const SIZES = [64 * MIB, GIB, 8 * GIB];
const QUICK_SIZES = [64 * MIB];
const DIRTY_PAGES = 64;
const PER_SECOND_MIN = 50_000;
/** The limit's two buffers: beyond this they are as cold as larger ones. */
const LIMIT_BYTES_MAX = GIB;

const perSecond = (runs, ns) => (runs / ns) * 1e9;

async function createMember(library, ramBytes) {
  // One write a step, at random: in RAM of this size almost every one is to another page.
  const vm = await library.EmulatedVm.create({ program: 'page-writer', memory: ramBytes, prefault: true });
  await vm.runUntil(100_000);
  return {
    ramBytes,
    vm,
    snapshot: await vm.snapshot(),
    engine: [],
    explore: [],
    pages: [],
    limit: [],
    call: new LatencySeries(),
  };
}

export const rollback = {
  name: 'rollback',
  promise: 'P11',
  summary: 'rollbacks a second of 64 dirty pages, in the engine and by vm.explore; limit: memcpy of 64 pages',
  async run({ limits, quick, freeBytes }) {
    const { library, missing } = await loadLibrary();
    if (library === undefined) throw new Error(`Expected the library for the case rollback but ${missing}`);
    const rounds = quick ? 3 : 30;
    const runs = quick ? 500 : 5000;
    const calls = quick ? 30 : 40;
    const sizes = (quick ? QUICK_SIZES : SIZES).filter((ramBytes) => ramBytes <= freeBytes / 2);
    const members = [];
    for (const ramBytes of sizes) members.push(await createMember(library, ramBytes));
    await inTurns(
      rounds,
      members.map((member) => async ({ warmUp }) => {
        const { vm, snapshot } = member;
        const { value, ns } = await timed(() => vm.explore(snapshot, { runs, steps: DIRTY_PAGES, check: false }));
        for (let i = 0; i < calls; i++) {
          await vm.runUntil(snapshot.steps + DIRTY_PAGES);
          const call = await timed(() => vm.rollback(snapshot));
          if (!warmUp) member.call.record(call.ns);
        }
        const copied = limits && (await limits.ask('copy-pages', 200, mibOf(member), DIRTY_PAGES));
        if (warmUp) return;
        member.engine.push(perSecond(value.runs, value.rollbackNs));
        member.explore.push(perSecond(value.runs, ns));
        member.pages.push(value.pagesRestored / value.runs);
        if (copied) member.limit.push(...copied.elapsedNs.map((elapsedNs) => 1e9 / elapsedNs));
      }),
    );
    for (const { vm } of members) vm.close();
    await freeSnapshots();
    const mine = ({ ramBytes, pages, call, limit }, name, values) =>
      caseResult({
        name: `rollback ${name}, ${sizeName(ramBytes)}`,
        promise: 'P11',
        unit: 'ops/s',
        ours: summarise(values),
        limit: limits && { name: 'memcpy of 64 pages here and there', summary: summarise(limit) },
        target: ramBytes === SIZES[0] ? { text: '≥ 50,000 / s', atLeast: { p50: PER_SECOND_MIN } } : undefined,
        details: { pagesARollback: summarise(pages), oneCallFromJavaScriptNs: call.summary() },
      });
    return members.flatMap((member) => [
      mine(member, 'in the engine', member.engine),
      mine(member, 'by vm.explore, 64 steps each', member.explore),
    ]);
  },
};

const mibOf = ({ ramBytes }) => Math.min(ramBytes, LIMIT_BYTES_MAX) / MIB;
