// The shape of a case's result: our figure, what it is held against, and whether the promise is met.

/**
 * @typedef {object} Reference a limit of the machine, or a peer that a user would pick instead
 * @property {'limit' | 'peer' | 'ours'} role 'ours': ours under other circumstances
 * @property {string} name
 * @property {Record<string, number>} ratios ours / this one, by percentile, where both have it: below 1 is less time,
 *   above 1 is more throughput
 *
 * @typedef {object} CaseResult
 * @property {string} name
 * @property {string} promise its number in shared/specs/performance.md, or '-'
 * @property {'ns' | 'GB/s' | 'ops/s' | 'percent' | 'bytes'} unit
 * @property {object} ours
 * @property {Reference[]} references
 * @property {{ title: string, label: string } | null} chart where it is drawn, and as what
 * @property {{ text: string } | null} target
 * @property {boolean | null} met null: no target, or too few samples for it
 * @property {string[]} notes
 */

const RATIO_KEYS = ['p50', 'p90', 'p99', 'p99.9', 'max'];

function reference(role, ours, { name, summary }) {
  const keys = RATIO_KEYS.filter((key) => ours[key] !== undefined && summary[key] > 0);
  return { role, name, ratios: Object.fromEntries(keys.map((key) => [key, ours[key] / summary[key]])), ...summary };
}

/** The names of what the target bounds, where its samples carry it; null as soon as one is missing. */
function judge(ours, target) {
  const bounds = Object.entries(target?.atMost ?? {}).map(([key, bound]) => [ours[key], (value) => value <= bound]);
  bounds.push(...Object.entries(target?.atLeast ?? {}).map(([key, bound]) => [ours[key], (value) => value >= bound]));
  if (bounds.length === 0 || bounds.some(([value]) => value === undefined)) return null;
  return bounds.every(([value, holds]) => holds(value));
}

/**
 * @param {{ name: string, promise?: string, unit?: string, ours: object, limit?: object | null, peer?: object | null,
 *   beside?: object[], target?: { text: string, atMost?: object, atLeast?: object }, met?: boolean | null,
 *   chart?: { title: string, label: string }, notes?: string[], details?: object }} given
 * @returns {CaseResult}
 */
export function caseResult(given) {
  const { name, promise = '-', unit = 'ns', ours, limit, peer, beside = [], target, met, chart, notes = [] } = given;
  const references = [limit && { role: 'limit', ...limit }, peer && { role: 'peer', ...peer }, ...beside];
  return {
    name,
    promise,
    unit,
    ours,
    references: references.filter((one) => one).map((one) => reference(one.role, ours, one)),
    target: target ? { text: target.text } : null,
    met: met !== undefined ? met : judge(ours, target),
    chart: chart ?? null,
    notes,
    ...(given.details === undefined ? {} : { details: given.details }),
  };
}

/** Runs the sides in turns, in an order that alternates. The first round warms up and is told so. */
export async function inTurns(rounds, sides) {
  for (let round = 0; round <= rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) await side({ warmUp: round === 0 });
  }
}
