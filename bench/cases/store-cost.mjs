// P13: what bounds, marks and safepoints cost a guest, and what a live copy of its RAM does. The native program
// takes one guest forward in turns: as the engine runs it, and in a bare loop without any of the three.
import { summarise } from '../histogram.mjs';
import { caseResult } from '../results.mjs';

const PATTERNS = ['uniform', 'zipfian', 'sequential'];
const COST_CASES = [
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
const LIVE_CASES = COST_CASES.filter(({ mib }) => mib === 64).map((one) => ({ ...one, mib: 256, percentMax: 25 }));
const LIVE_PERCENT_MAX = 25;

const nameOf = ({ program, variant, mib }) =>
  `${program}${program === 'page-writer' ? ` ${PATTERNS[variant]}` : ''} ${mib} MiB`;

/** Percent more time than the bare loop of the same round; rounds in which the kernel ran something else are left out. */
function costOf(roundPs, barePs) {
  const percent = roundPs.map((ps, i) => (ps > 0 && barePs[i] > 0 ? (ps / barePs[i] - 1) * 100 : null));
  return summarise(percent.filter((value) => value !== null));
}
const nsPerStep = (roundPs) => summarise(roundPs.filter((ps) => ps > 0).map((ps) => ps / 1000));

/** The faster of the two plain loops: a bare one may come out of the compiler slower than the one with bounds. */
function baselineOf({ bare, bounds }) {
  return nsPerStep(bounds).p50 < nsPerStep(bare).p50 ? { name: 'bounds', ps: bounds } : { name: 'bare', ps: bare };
}
/** Noise only ever adds time, so the fastest rounds of both tell their cost on a busy machine. */
const fastestPercent = (roundPs, basePs) => (nsPerStep(roundPs).min / nsPerStep(basePs).min - 1) * 100;

async function measureCost(storeCost, one, { rounds, roundUs }) {
  const answer = await storeCost.ask('cost', one.program, one.variant, one.mib, rounds, roundUs);
  const ways = ['bare', 'bounds', 'boundsAndMarks', 'boundsMarksAndHandOver', 'engine'];
  const baseline = baselineOf(answer);
  const ours = costOf(answer.engine, baseline.ps);
  const notes = [];
  if (!answer.sound) notes.push('the guest’s own check found its RAM unsound: the figures mean nothing');
  if (baseline.name !== 'bare')
    notes.push('the bare loop came out slower than the one with bounds: the cost is over that');
  return caseResult({
    name: `store-cost ${nameOf(one)}`,
    promise: 'P13',
    unit: 'percent',
    ours,
    target: { text: `p50 ≤ ${one.percentMax} %`, atMost: { p50: one.percentMax } },
    notes,
    details: {
      baseline: baseline.name,
      nsPerStep: Object.fromEntries(ways.map((way) => [way, nsPerStep(answer[way])])),
      percentOverBaseline: Object.fromEntries(ways.map((way) => [way, costOf(answer[way], baseline.ps)])),
      percentOfFastestRounds: Object.fromEntries(ways.map((way) => [way, fastestPercent(answer[way], baseline.ps)])),
      roundsUndisturbed: ours.samples,
      rounds,
    },
  });
}

async function measureLive(storeCost, one, { rounds }) {
  const answer = await storeCost.ask('live', one.program, one.variant, one.mib, rounds);
  const ours = costOf(answer.live, answer.bare);
  return caseResult({
    name: `store-cost live ${nameOf(one)}`,
    promise: 'P13',
    unit: 'percent',
    ours,
    limit: { name: 'beside a plain copy of the RAM', summary: costOf(answer.besideCopy, answer.bare) },
    target: { text: `p50 ≤ ${LIVE_PERCENT_MAX} %`, atMost: { p50: LIVE_PERCENT_MAX } },
    details: {
      nsPerStep: Object.fromEntries(
        ['bare', 'alone', 'besideCopy', 'live'].map((way) => [way, nsPerStep(answer[way])]),
      ),
      copyNs: summarise(answer.copyNs),
      pagesCopiedByGuest: summarise(answer.pagesCopiedByGuest),
      pages: answer.pages,
    },
  });
}

export const storeCost = {
  name: 'store-cost',
  promise: 'P13',
  summary: 'cost of bounds, marks and safepoints over the same program without, and of a live copy',
  needs: 'storeCost',
  async run({ storeCost, quick }) {
    const results = [];
    const plan = { rounds: quick ? 20 : 300, roundUs: 2000 };
    for (const one of quick ? COST_CASES.slice(0, 1) : COST_CASES)
      results.push(await measureCost(storeCost, one, plan));
    for (const one of quick ? LIVE_CASES.slice(0, 1) : LIVE_CASES) {
      results.push(await measureLive(storeCost, one, { rounds: quick ? 3 : 15 }));
    }
    return results;
  },
};
