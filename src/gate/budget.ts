import { z } from 'zod';
import { StandstillError, unexpected } from '../base/errors.js';
import { parseOptions } from '../base/options.js';
import { didYouMean } from '../base/suggest.js';
import type { Metric, Result } from './metric.js';
import { formatShare, formatValue, normaliseUnit } from './units.js';
import { type GateReport, type MetricVerdict, overallVerdict } from './verdict.js';

// Without flags: the published schema holds the pattern alone.
const ABSOLUTE = /^(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*([a-zA-Zµμ%][a-zA-Zµμ%/]*)?$/;
const CALIBRATED = /^(\d+(?:\.\d+)?)\s*[x×]\s*([a-zA-Z][\w-]*)(?:\.(p\d+(?:\.\d+)?))?$/;
const LIMIT = new RegExp(`${ABSOLUTE.source}|${CALIBRATED.source}`);
const EXPECTED_LIMIT = "a limit such as '20us', '5 GB/s' or '4x handshake'";
const CALIBRATION_PERCENTILE = 'p50';

/** Above it, a figure beyond its limit says more of the machine than of the code. */
const NOISE_SCORE_MAX = 30;
const ROUNDS_MAX = 4;
const BEST_OF = ', at the best of ';

/** A budget file. Its JSON Schema is published as schemas/budgets.schema.json. */
export const budgetsSchema = z
  .strictObject(
    {
      $schema: z.string('text').optional().meta({ description: 'Where an editor finds this schema.' }),
      budgets: z
        .record(
          z.string(),
          z.string(EXPECTED_LIMIT).regex(LIMIT, EXPECTED_LIMIT).meta({
            description:
              "At most so much of a metric that is better lower, at least so much of one that is better higher: '20us', '5 GB/s', or a multiple of a calibration of the same run, '4x handshake'.",
          }),
          'an object of limits by metric',
        )
        .refine((budgets) => Object.keys(budgets).length > 0, 'one budget at least')
        .meta({ description: "Limits by metric and percentile, as in 'pause.p99'." }),
    },
    "an object with 'budgets'",
  )
  .meta({ title: 'Budgets of standstill gate', id: 'standstill-budgets' });

export type Budgets = ReadonlyMap<string, string>;

/** What a budget file says. ERR_INVALID_OPTION and ERR_UNKNOWN_OPTION where it says it wrong. */
export const parseBudgets = (content: unknown, source: string): Budgets =>
  new Map(Object.entries(parseOptions(budgetsSchema, content, source).budgets));

/** The JSON Schema of a budget file. */
export const budgetsJsonSchema = (): unknown => z.toJSONSchema(budgetsSchema);

/** The cases that a benchmark has to run for the figures that are named: `digest` for `digest/2-threads.p50`. */
export const casesOf = (budgets: Budgets): string[] => [
  ...new Set([...budgets.keys()].map((name) => name.split(/[/.]/)[0] ?? name)),
];

/**
 * Holds a result against its budgets. A value beyond its limit is a regression, unless its own bounds reach the limit or the
 * machine was disturbed: then it is undecided, as is a figure that the result says it could not have. One that it does not
 * know is ERR_GATE_INPUT: a budget that names nothing would be kept for ever.
 */
export function checkBudgets(budgets: Budgets, head: Result, budgetSource: string): GateReport {
  const metrics = [...budgets].map(([name, limit]) => checkOne(name, limit, head));
  return {
    schemaVersion: 1,
    verdict: overallVerdict(metrics),
    method: 'budget',
    base: budgetSource,
    head: head.source,
    metrics,
    warnings: [...head.warnings],
    plan: null,
  };
}

/**
 * Holds what `measure` finds now against the budgets. What is not kept is measured again, up to four times in all, and its
 * best counts: other work on the machine makes a figure worse and never better, a regression is there each time.
 */
export async function checkBudgetsNow(
  budgets: Budgets,
  measure: (cases: string[]) => Promise<Result>,
  budgetSource: string,
): Promise<GateReport> {
  let report = checkBudgets(budgets, await measure(casesOf(budgets)), budgetSource);
  for (let round = 2; round <= ROUNDS_MAX; round += 1) {
    const missed = report.metrics.filter(({ verdict, head }) => verdict !== 'pass' && head !== null);
    if (missed.length === 0) break;
    const open = new Map(missed.map(({ name }) => [name, budgets.get(name) ?? '']));
    const again = checkBudgets(open, await measure(casesOf(open)), budgetSource);
    const metrics = report.metrics.map((metric) => betterOf(metric, again, round));
    const warnings = [...new Set([...report.warnings, ...again.warnings])];
    report = { ...report, verdict: overallVerdict(metrics), metrics, warnings };
  }
  return report;
}

function betterOf(metric: MetricVerdict, { metrics }: GateReport, round: number): MetricVerdict {
  const again = metrics.find(({ name }) => name === metric.name);
  if (again === undefined) return metric;
  const better = (again.worseBy ?? Infinity) < (metric.worseBy ?? Infinity) ? again : metric;
  const [reason] = better.reason.split(BEST_OF);
  return { ...better, reason: `${reason}${BEST_OF}${round} measurements` };
}

function checkOne(name: string, limitText: string, head: Result): MetricVerdict {
  const metric = head.metrics.get(name);
  if (metric === undefined) return missingFigure(name, limitText, head);
  const limit = limitOf(limitText, metric, head);
  const isBetterLower = metric.direction === 'lower';
  const beyond = (value: number) => (isBetterLower ? value > limit : value < limit);
  const best = isBetterLower ? metric.interval?.low : metric.interval?.high;
  const isOver = beyond(metric.value);
  const noise = isOver ? noiseOf(head.noiseScore, best !== undefined && !beyond(best)) : null;
  const worseBy = limit > 0 && metric.value > 0 ? (metric.value / limit) ** (isBetterLower ? 1 : -1) - 1 : null;
  const share = worseBy === null ? '' : ` by ${formatShare(Math.abs(worseBy)).slice(1)}`;
  const bound = `${isBetterLower ? 'at most' : 'at least'} ${limitText}`;
  const shown = /[x×]/.test(limitText) ? `${bound} (${formatValue(limit, metric.unit)})` : bound;
  return {
    name,
    unit: metric.unit,
    direction: metric.direction,
    verdict: noise !== null ? 'undecided' : isOver ? 'regression' : 'pass',
    method: 'budget',
    base: limit,
    head: metric.value,
    worseBy,
    interval: null,
    minEffect: null,
    pValue: null,
    values: null,
    reason: `${shown}: ${isOver ? 'missed' : 'kept'}${share}${noise === null ? '' : `, ${noise}`}`,
    settledBy: noise !== null ? 'more samples, or a quieter machine' : null,
  };
}

function noiseOf(score: number | null, isWithinBounds: boolean): string | null {
  if (isWithinBounds) return 'within its own noise';
  return (score ?? 0) > NOISE_SCORE_MAX ? `on a machine that was disturbed (noise ${score} of 100)` : null;
}

function missingFigure(name: string, limitText: string, head: Result): MetricVerdict {
  const metric = name.replace(/\.p[\d.]+$/, '');
  const known = head.absent.get(name) ?? head.absent.get(metric) ?? head.absent.get(metric.split('/')[0] ?? '');
  if (known === undefined) {
    const message = `Expected a figure '${name}' in ${head.source} for its budget but it has none`;
    throw new StandstillError('ERR_GATE_INPUT', `${message}${didYouMean(name, [...head.metrics.keys()])}`);
  }
  return {
    name,
    unit: '',
    direction: 'lower',
    verdict: 'undecided',
    method: 'budget',
    base: null,
    head: null,
    worseBy: null,
    interval: null,
    minEffect: null,
    pValue: null,
    values: null,
    reason: `${limitText}: not checked: ${known}`,
    settledBy: 'a longer run',
  };
}

function limitOf(limitText: string, metric: Metric, head: Result): number {
  const calibrated = CALIBRATED.exec(limitText.trim());
  if (calibrated !== null) {
    const [, factor, name, percentile = CALIBRATION_PERCENTILE] = calibrated;
    const calibration = head.calibrations.get(`${name}.${percentile}`);
    if (calibration === undefined) {
      const known = [...new Set([...head.calibrations.keys()].map((key) => key.replace(/\.p[\d.]+$/, '')))];
      const among = known.length === 0 ? 'a result with calibrations' : `one of ${known.join(', ')}`;
      throw unexpected('ERR_GATE_INPUT', among, `the budget of '${metric.name}'`, limitText);
    }
    checkUnit(calibration.unit, metric, limitText);
    return Number(factor) * calibration.value;
  }
  const absolute = ABSOLUTE.exec(limitText.trim());
  if (absolute === null) throw unexpected('ERR_GATE_INPUT', EXPECTED_LIMIT, `'${metric.name}'`, limitText);
  const { unit, scale } = normaliseUnit(absolute[2] ?? '');
  checkUnit(unit, metric, limitText);
  return Number(absolute[1]) * scale;
}

function checkUnit(unit: string, metric: Metric, limitText: string): void {
  if (unit === metric.unit) return;
  throw new StandstillError(
    'ERR_GATE_UNITS',
    `Expected a limit in ${metric.unit || 'no unit'} for the budget of '${metric.name}' but received '${limitText}'`,
  );
}
