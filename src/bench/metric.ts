import type { BenchCase, MetricDraft, ReferenceDraft } from './case.js';
import { ratioOf } from './ratio.js';
import type { BenchCalibration, BenchMetric, BenchReference, BenchSummary, BenchUnit } from './result-schema.js';
import type { Series } from './series.js';

const HIGHER_IS_BETTER: ReadonlySet<BenchUnit> = new Set<BenchUnit>(['GB/s', 'ops/s']);

/** What a case has measured, as a result has it. */
export function metricOf(one: BenchCase, draft: MetricDraft, calibrations: readonly BenchCalibration[]): BenchMetric {
  const { title, unit = 'ns', ours, target } = draft;
  const measurement = ours.measurement();
  return {
    name: nameOf(one.name, title),
    case: one.name,
    promise: one.promise,
    title,
    params: { ...draft.params },
    unit,
    direction: draft.direction ?? (HIGHER_IS_BETTER.has(unit) ? 'higher' : 'lower'),
    measurement,
    multiples: multiplesOf(measurement.summary, unit, calibrations),
    references: referencesOf(draft),
    target:
      target === undefined
        ? null
        : { text: target.text, met: target.met !== undefined ? target.met : judge(measurement.summary, target) },
    chart: draft.chart ?? null,
    notes: [...(draft.notes ?? [])],
    details: { ...draft.details },
  };
}

/** 'pause kv-store' of the case 'pause' is 'pause/kv-store'. */
export function nameOf(caseName: string, title: string): string {
  const rest = title.startsWith(caseName) ? title.slice(caseName.length) : title;
  const variant = rest
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return variant === '' ? caseName : `${caseName}/${variant}`;
}

function referencesOf({ ours, limit, peers = [], baseline }: MetricDraft): BenchReference[] {
  const of = (role: BenchReference['role'], draft: ReferenceDraft | null | undefined): BenchReference[] =>
    draft == null || draft.series.samples === 0 ? [] : [referenceOf(role, ours, draft)];
  return [...of('limit', limit), ...peers.flatMap((peer) => of('peer', peer)), ...of('baseline', baseline)];
}

function referenceOf(role: BenchReference['role'], ours: Series, draft: ReferenceDraft): BenchReference {
  const { name, series, differs = '' } = draft;
  return { role, name, measurement: series.measurement(), ratio: ratioOf(ours, series), differs };
}

function multiplesOf(summary: BenchSummary, unit: BenchUnit, calibrations: readonly BenchCalibration[]) {
  const multiples: Record<string, number> = {};
  const own = summary.percentiles.p50;
  for (const { name, unit: theirs, measurement } of calibrations) {
    const least = measurement.summary.percentiles.p50;
    if (theirs === unit && own !== undefined && least !== undefined && least > 0) multiples[name] = own / least;
  }
  return multiples;
}

/** null where a figure that the target bounds is not there: too few samples. */
function judge(
  summary: BenchSummary,
  { atMost = {}, atLeast = {} }: NonNullable<MetricDraft['target']>,
): boolean | null {
  const figures: Readonly<Record<string, number | undefined>> = { ...summary.percentiles, max: summary.max };
  const bounds = [
    ...Object.entries(atMost).map(([key, bound]) => ({ figure: figures[key], bound, sign: 1 })),
    ...Object.entries(atLeast).map(([key, bound]) => ({ figure: figures[key], bound, sign: -1 })),
  ];
  if (bounds.length === 0 || bounds.some(({ figure }) => figure === undefined)) return null;
  return bounds.every(({ figure, bound, sign }) => sign * (figure ?? 0) <= sign * bound);
}
