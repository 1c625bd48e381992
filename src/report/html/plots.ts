import { clocksOf, figuresOf } from '../figures.js';
import { groupBy } from '../group-by.js';
import { blackoutsOf } from '../impacts.js';
import type { RunRecord } from '../record.js';
import type { Timeline } from '../timeline.js';

/** Of a probe with more answers, the worst of each stretch is drawn. */
const ANSWERS_MAX = 2000;

export interface Plots {
  readonly beginNs: number;
  readonly endNs: number;
  readonly budgetNs: number | null;
  /** VMs that stood still, by cause: when, and for how long. */
  readonly blackouts: readonly { readonly cause: string; readonly atNs: number[]; readonly blackoutNs: number[] }[];
  /** Of VMs whose clock was synchronised. */
  readonly clocks: { readonly names: string[]; readonly beforeNs: number[]; readonly afterNs: number[] };
  readonly probes: readonly {
    readonly name: string;
    readonly atNs: number[];
    readonly latencyNs: number[];
    readonly ok: boolean[];
  }[];
  /** Where to go from one to the next: stretches in which VMs stood still. */
  readonly stops: readonly (readonly [fromNs: number, toNs: number])[];
}

/** What the script of the page draws. */
export function plotsOf(record: RunRecord, { beginNs, endNs }: Timeline): Plots {
  const impacts = blackoutsOf(record);
  const { vms, budgetNs } = figuresOf(record);
  const clocks = clocksOf(vms);
  return {
    beginNs,
    endNs,
    budgetNs,
    blackouts: [...groupBy(impacts, ({ cause }) => cause)].map(([cause, own]) => ({
      cause,
      atNs: own.map(({ haltedAtNs }) => haltedAtNs),
      blackoutNs: own.map(({ blackoutNs }) => blackoutNs),
    })),
    clocks: {
      names: clocks.map(({ host, vm }) => `${vm.name} on ${host}`),
      beforeNs: clocks.map(({ beforeNs }) => beforeNs),
      afterNs: clocks.map(({ afterNs }) => afterNs),
    },
    probes: probeSeries(record),
    stops: stopsOf(impacts.map(({ requestedAtNs, resumedAtNs }) => [requestedAtNs, resumedAtNs] as const)),
  };
}

function probeSeries({ log }: RunRecord): Plots['probes'] {
  const answers = log.flatMap((entry) => (entry.type === 'probe' ? [entry] : []));
  return [...groupBy(answers, ({ probe }) => probe)].map(([name, own]) => {
    const stretch = Math.ceil(own.length / ANSWERS_MAX);
    const drawn = Array.from({ length: Math.ceil(own.length / stretch) }, (_, index) =>
      own
        .slice(index * stretch, (index + 1) * stretch)
        .reduce((worst, each) => ((worst.ok === each.ok ? each.latencyNs > worst.latencyNs : worst.ok) ? each : worst)),
    );
    return {
      name,
      atNs: drawn.map(({ atNs, latencyNs }) => atNs - latencyNs),
      latencyNs: drawn.map(({ latencyNs }) => latencyNs),
      ok: drawn.map(({ ok }) => ok),
    };
  });
}

/** Freezes that overlap are one. */
function stopsOf(impacts: readonly (readonly [number, number])[]): [number, number][] {
  const stops: [number, number][] = [];
  for (const [fromNs, toNs] of impacts.toSorted(([a], [b]) => a - b)) {
    const last = stops.at(-1);
    if (last !== undefined && fromNs <= last[1]) last[1] = Math.max(last[1], toNs);
    else stops.push([fromNs, toNs]);
  }
  return stops;
}
