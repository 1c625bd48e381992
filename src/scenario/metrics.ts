/** What an expectation's argument names. */
export type ArgumentKind = 'vm' | 'set' | 'host' | 'probe';
export type ValueUnit = 'ns' | 'share' | 'count' | 'state';

interface Metric {
  readonly unit: ValueUnit;
  /** What a narrower expectation names in brackets; null: nothing. */
  readonly of: ArgumentKind | null;
  /** Many values, of which a statistic is taken; the greatest where none is named. */
  readonly isDistribution: boolean;
  /** Of a state: what it can be expected to be. */
  readonly states: readonly string[];
  readonly description: string;
}

const state = (of: ArgumentKind | null, states: readonly string[], description: string): Metric => ({
  unit: 'state',
  of,
  isDistribution: false,
  states,
  description,
});
const value = (unit: ValueUnit, of: ArgumentKind | null, description: string): Metric => ({
  unit,
  of,
  isDistribution: false,
  states: [],
  description,
});
const times = (of: ArgumentKind | null, description: string): Metric => ({
  unit: 'ns',
  of,
  isDistribution: true,
  states: [],
  description,
});

/** The one table of what a scenario can expect. docs/SCENARIOS.md has it too; a test keeps the two in step. */
export const METRICS = {
  memory: state('vm', ['preserved', 'changed', 'lost', 'unproven'], 'what the proofs of all maintenances say'),
  invariants: state('vm', ['hold', 'violated'], "the guests' own invariants, walked after each resume"),
  budget: state('host', ['kept', 'exceeded'], 'whether every maintenance ended before its deadline'),
  updateDomains: state('set', ['oneAtATime'], 'at each instant at most one update domain of a set was impacted'),
  rollout: state(null, ['done', 'stopped', 'rolledBack'], 'how every rollout ended'),
  blackout: times('vm', "from a guest's halt to its resume, by its own stamps"),
  pause: times('vm', "from the request of a freeze to the guest's halt"),
  'clock.lag.before': times('vm', "how far a guest's wall clock was off just before its synchronisation"),
  'clock.lag.after': times('vm', "how far a guest's wall clock was off just after its synchronisation"),
  'guest.gap': times('vm', 'longest gap between two ticks of a ticker guest, in truth'),
  latency: times('probe', 'of the answers that were good'),
  outage: value('ns', 'probe', 'longest time without a good answer'),
  duration: value('ns', null, 'of the whole run'),
  availability: value('share', 'probe', 'good answers of all'),
  'availability.before': value('share', 'probe', 'before the first impact'),
  'availability.during': value('share', 'probe', 'from the first impact to the end of the last'),
  'availability.after': value('share', 'probe', 'after the last impact'),
  'events.scheduled': value('count', 'vm', 'Scheduled Events that were announced'),
  'events.acknowledged': value('count', 'vm', 'acknowledgements by guests'),
  'events.started': value('count', 'vm', 'Scheduled Events that started'),
  'events.completed': value('count', 'vm', 'Scheduled Events whose impact is over'),
  'events.cancelled': value('count', 'vm', 'Scheduled Events that were withdrawn'),
  'events.failed': value('count', 'vm', 'Scheduled Events whose impact could not be made'),
  'maintenances.ok': value('count', 'host', 'maintenances that ended well'),
  'maintenances.failed': value('count', 'host', 'maintenances that did not, or were refused'),
  'maintenances.refused': value('count', 'host', 'maintenances that were refused, as an update did not qualify'),
  'patches.applied': value('count', 'host', 'patches that were applied and stay'),
  'patches.failed': value('count', 'host', 'patches that failed or were cancelled'),
  'patches.rolledBack': value('count', 'host', 'patches that were taken back'),
  'steps.lost': value('count', 'vm', 'steps that a guest took or lost while it was frozen'),
} as const satisfies Record<string, Metric>;

export type MetricName = keyof typeof METRICS;
export const METRIC_NAMES = Object.keys(METRICS) as MetricName[];
export const metricOf = (name: MetricName): Metric => METRICS[name];
