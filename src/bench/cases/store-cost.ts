// P13: what bounds, marks and safepoints cost a guest, and what a live copy of its RAM does. The native program
// takes one guest forward in turns: as the engine runs it, and in a bare loop without any of the three.
import type { BenchCase, BenchContext, MetricDraft } from '../case.js';
import type { StoreCostServer } from '../native/server.js';
import { summarise } from '../series.js';

const PATTERNS = ['uniform', 'zipfian', 'sequential'];

interface Guest {
  readonly program: string;
  readonly variant: number;
  readonly mib: number;
  readonly percentMax: number;
}

const COST_CASES: readonly Guest[] = [
  { program: 'page-writer', variant: 0, mib: 64, percentMax: 10 },
  { program: 'page-writer', variant: 0, mib: 1, percentMax: 10 },
  { program: 'page-writer', variant: 0, mib: 1024, percentMax: 10 },
  { program: 'page-writer', variant: 1, mib: 64, percentMax: 5 },
  { program: 'page-writer', variant: 2, mib: 64, percentMax: 5 },
  { program: 'kv-store', variant: 0, mib: 64, percentMax: 5 },
  { program: 'queue', variant: 0, mib: 64, percentMax: 5 },
  { program: 'hash-chain', variant: 0, mib: 64, percentMax: 5 },
  { program: 'ticker', variant: 0, mib: 64, percentMax: 5 },
];
const LIVE_PERCENT_MAX = 25;
const LIVE_CASES = COST_CASES.filter(({ mib }) => mib === 64).map((one) => ({ ...one, mib: 256 }));

const nameOf = ({ program, variant, mib }: Guest) =>
  `${program}${program === 'page-writer' ? ` ${PATTERNS[variant]}` : ''} ${mib} MiB`;

/** Percent more time than the other of the same round; rounds in which the kernel ran something else are left out. */
function percentsOver(roundPs: readonly number[], basePs: readonly number[]): number[] {
  return roundPs.flatMap((ps, i) => {
    const base = basePs[i] ?? 0;
    return ps > 0 && base > 0 ? [(ps / base - 1) * 100] : [];
  });
}
const costOf = (roundPs: readonly number[], basePs: readonly number[]) => summarise(percentsOver(roundPs, basePs));
const nsPerStep = (roundPs: readonly number[]) => summarise(roundPs.filter((ps) => ps > 0).map((ps) => ps / 1000));
const medianOf = (roundPs: readonly number[]) => nsPerStep(roundPs).percentiles.p50 ?? 0;
/** Noise only ever adds time, so the fastest rounds of both tell their cost on a busy machine. */
const fastestPercent = (roundPs: readonly number[], basePs: readonly number[]) =>
  (nsPerStep(roundPs).min / nsPerStep(basePs).min - 1) * 100;

async function measureCost(
  { figures }: BenchContext,
  server: StoreCostServer,
  one: Guest,
  { rounds, roundUs }: { readonly rounds: number; readonly roundUs: number },
): Promise<MetricDraft> {
  const answer = await server.ask('cost', one.program, one.variant, one.mib, rounds, roundUs);
  const ways = ['bare', 'bounds', 'boundsAndMarks', 'boundsMarksAndHandOver', 'engine'] as const;
  // The faster of the two plain loops: a bare one may come out of the compiler slower than the one with bounds.
  const baseline = medianOf(answer.bounds) < medianOf(answer.bare) ? 'bounds' : 'bare';
  const ours = figures(percentsOver(answer.engine, answer[baseline]));
  const notes: string[] = [];
  if (answer.sound !== 1) notes.push('the guest’s own check found its RAM unsound: the figures mean nothing');
  if (baseline !== 'bare') notes.push('the bare loop came out slower than the one with bounds: the cost is over that');
  const each = <Value>(measure: (way: (typeof ways)[number]) => Value) =>
    Object.fromEntries(ways.map((way) => [way, measure(way)]));
  return {
    title: `store-cost ${nameOf(one)}`,
    params: { program: one.program, ramBytes: one.mib * 2 ** 20 },
    unit: 'percent',
    ours,
    target: { text: `p50 ≤ ${one.percentMax} %`, atMost: { p50: one.percentMax } },
    notes,
    details: {
      baseline,
      nsPerStep: each((way) => nsPerStep(answer[way])),
      percentOverBaseline: each((way) => costOf(answer[way], answer[baseline])),
      percentOfFastestRounds: each((way) => fastestPercent(answer[way], answer[baseline])),
      roundsUndisturbed: ours.samples,
      rounds,
    },
  };
}

async function measureLive(
  { figures }: BenchContext,
  server: StoreCostServer,
  one: Guest,
  rounds: number,
): Promise<MetricDraft> {
  const answer = await server.ask('live', one.program, one.variant, one.mib, rounds);
  return {
    title: `store-cost live ${nameOf(one)}`,
    params: { program: one.program, ramBytes: one.mib * 2 ** 20 },
    unit: 'percent',
    ours: figures(percentsOver(answer.live, answer.bare)),
    limit: { name: 'beside a plain copy of the RAM', series: figures(percentsOver(answer.besideCopy, answer.bare)) },
    target: { text: `p50 ≤ ${LIVE_PERCENT_MAX} %`, atMost: { p50: LIVE_PERCENT_MAX } },
    details: {
      nsPerStep: {
        bare: nsPerStep(answer.bare),
        alone: nsPerStep(answer.alone),
        besideCopy: nsPerStep(answer.besideCopy),
        live: nsPerStep(answer.live),
      },
      copyNs: summarise(answer.copyNs),
      pagesCopiedByGuest: summarise(answer.pagesCopiedByGuest),
      pages: answer.pages,
    },
  };
}

export const storeCost: BenchCase = {
  name: 'store-cost',
  promise: 'P13',
  summary: 'cost of bounds, marks and safepoints over the same program without, and of a live copy',
  params: ['program'],
  seconds: 90,
  async run(context) {
    const { quick, params } = context;
    const server = await context.openStoreCost();
    const isChosen = ({ program }: Guest) => params.program === undefined || params.program === program;
    const [costs, lives] = [COST_CASES, LIVE_CASES].map((list) =>
      list.filter(isChosen).slice(0, quick ? 1 : undefined),
    );
    const drafts: MetricDraft[] = [];
    for (const one of costs ?? [])
      drafts.push(await measureCost(context, server, one, { rounds: quick ? 20 : 300, roundUs: 2000 }));
    for (const one of lives ?? []) drafts.push(await measureLive(context, server, one, quick ? 3 : 15));
    return drafts;
  },
};
