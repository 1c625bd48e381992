// The shape of a case's result: our figure, what it is held against, and whether the promise is met.

/**
 * @typedef {object} Reference a limit of the machine, or a peer that a user would pick instead
 * @property {'limit' | 'peer'} role
 * @property {string} name
 * @property {number | null} ratio ours / this one at the median: below 1 is less time, above 1 is more throughput
 *
 * @typedef {object} CaseResult
 * @property {string} name
 * @property {string} promise its number in shared/specs/performance.md, or '-'
 * @property {'ns' | 'GB/s' | 'ops/s' | 'percent' | 'bytes'} unit
 * @property {object} ours
 * @property {Reference | null} limit
 * @property {Reference | null} peer
 * @property {number | null} ratio to the limit where there is one, else to the peer
 * @property {{ text: string } | null} target
 * @property {boolean | null} met null: no target, or too few samples for it
 * @property {string[]} notes
 */

const ratioOf = (ours, other) => (other?.p50 > 0 && ours.p50 !== undefined ? ours.p50 / other.p50 : null);

function reference(role, ours, given) {
  if (given == null) return null;
  const { name, summary } = given;
  return { role, name, ratio: ratioOf(ours, summary), ...summary };
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
 *   target?: { text: string, atMost?: object, atLeast?: object }, met?: boolean | null, notes?: string[], details?: object }} given
 * @returns {CaseResult}
 */
export function caseResult({ name, promise = '-', unit = 'ns', ours, limit, peer, target, met, notes = [], details }) {
  const limitOut = reference('limit', ours, limit);
  const peerOut = reference('peer', ours, peer);
  return {
    name,
    promise,
    unit,
    ours,
    limit: limitOut,
    peer: peerOut,
    ratio: (limitOut ?? peerOut)?.ratio ?? null,
    target: target ? { text: target.text } : null,
    met: met !== undefined ? met : judge(ours, target),
    notes,
    ...(details === undefined ? {} : { details }),
  };
}

/** Runs the sides in turns, in an order that alternates. The first round warms up and is told so. */
export async function inTurns(rounds, sides) {
  for (let round = 0; round <= rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) await side({ warmUp: round === 0 });
  }
}
