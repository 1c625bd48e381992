import type { LogEntry } from '../base/event-log.js';
import type { FleetEvent } from './events.js';
import type { Applied, Direction, StopReason } from './rollout-events.js';
import type { RolloutPlan, RolloutStep } from './rollout-plan.js';

/** 'stopped' can be resumed; 'abandoned' was given up for another one. */
export type RolloutStatus = 'running' | 'stopped' | 'done' | 'rolled-back' | 'abandoned';

export interface HostState {
  readonly applied: Applied;
  readonly underWay: boolean;
  /** Its maintenance has failed since the rollout was started or resumed. */
  readonly failed: boolean;
}

/** Where a rollout is: a function of its entries in the log and of nothing else. Immutable. */
export interface RolloutState {
  readonly id: string;
  readonly plan: RolloutPlan;
  readonly status: RolloutStatus;
  readonly direction: Direction;
  /** Why it stopped; null unless it has. */
  readonly stoppedBy: StopReason | null;
  readonly hosts: Readonly<Record<string, HostState>>;
  /** The update domain that is worked on; null between two. */
  readonly openDomain: number | null;
  /** Those that are over in this direction, with their health. */
  readonly passedDomains: readonly number[];
  /** Since the last start, resume or change of direction. */
  readonly problems: readonly string[];
  /** When the last domain ended, by the log's clock; null since it was resumed: whoever does that need not wait. */
  readonly domainEndedAtNs: number | null;
}

/** The state after one more entry; undefined before the first rollout. Entries of other kinds change nothing. */
export function evolve(state: RolloutState | undefined, entry: LogEntry<FleetEvent>): RolloutState | undefined {
  if (entry.type === 'rollout-started') return begun(entry.rollout, entry.plan);
  if (state === undefined) return undefined;
  if (entry.type === 'fleet-opened') return interrupted(state);
  if (!('rollout' in entry) || entry.rollout !== state.id) return state;
  switch (entry.type) {
    case 'rollout-resumed':
      return resumed(state, entry.direction);
    case 'domain-begin':
      return { ...state, openDomain: entry.updateDomain };
    case 'host-patch-begin':
      return withHost(state, entry.host, { applied: 'unknown', underWay: true, failed: false });
    case 'host-patch-end':
      return {
        ...withHost(state, entry.host, { applied: entry.applied, underWay: false, failed: !entry.ok }),
        problems: [...state.problems, ...entry.problems.map((problem) => `${entry.host}: ${problem}`)],
      };
    case 'host-settled':
      return withHost(state, entry.host, { applied: entry.applied, underWay: false, failed: false });
    case 'health':
      return state;
    case 'domain-end':
      return {
        ...state,
        openDomain: null,
        domainEndedAtNs: entry.atNs,
        passedDomains: entry.ok ? [...state.passedDomains, entry.updateDomain] : state.passedDomains,
        problems: [
          ...state.problems,
          ...entry.problems.map((problem) => `update domain ${entry.updateDomain}: ${problem}`),
        ],
      };
    case 'rollback-begin':
      return resumed(state, 'rollback');
    case 'rollout-stopped':
      return { ...state, status: 'stopped', stoppedBy: entry.reason, openDomain: null };
    case 'rollout-done':
      return { ...state, status: 'done' };
    case 'rollout-rolled-back':
      return { ...state, status: 'rolled-back' };
    case 'rollout-abandoned':
      return { ...state, status: 'abandoned' };
  }
}

function begun(id: string, plan: RolloutPlan): RolloutState {
  const fresh: HostState = { applied: 'no', underWay: false, failed: false };
  return {
    id,
    plan,
    status: 'running',
    direction: 'forward',
    stoppedBy: null,
    hosts: Object.fromEntries(plan.steps.flatMap((step) => step.hosts.map((host) => [host, fresh]))),
    openDomain: null,
    passedDomains: [],
    problems: [],
    domainEndedAtNs: null,
  };
}

/** A process has ended in the middle of it: of the hosts that it worked on, nothing is known. */
function interrupted(state: RolloutState): RolloutState {
  const hosts = Object.entries(state.hosts).map(([name, host]) => [name, { ...host, underWay: false }]);
  return { ...state, hosts: Object.fromEntries(hosts), openDomain: null };
}

function resumed(state: RolloutState, direction: Direction): RolloutState {
  const hosts = Object.entries(state.hosts).map(([name, host]) => [name, { ...host, failed: false }]);
  return {
    ...state,
    status: 'running',
    direction,
    stoppedBy: null,
    hosts: Object.fromEntries(hosts),
    openDomain: null,
    passedDomains: direction === state.direction ? state.passedDomains : [],
    problems: [],
    domainEndedAtNs: null,
  };
}

const withHost = (state: RolloutState, name: string, host: HostState): RolloutState => ({
  ...state,
  hosts: { ...state.hosts, [name]: host },
});

/** What is to be done next. */
export type Decision =
  /** Somebody has to look whether the patches are on these hosts. */
  | { readonly do: 'settle'; readonly hosts: readonly string[] }
  | { readonly do: 'begin-domain'; readonly updateDomain: number; readonly hosts: readonly string[] }
  | { readonly do: 'patch'; readonly updateDomain: number; readonly hosts: readonly string[] }
  | { readonly do: 'check-health'; readonly updateDomain: number; readonly hosts: readonly string[] }
  /** Nothing, until a host that is under way has ended. */
  | { readonly do: 'wait' }
  | { readonly do: 'roll-back' }
  | { readonly do: 'stop'; readonly reason: StopReason }
  /** All domains are over. */
  | { readonly do: 'finish' }
  | { readonly do: 'nothing' };

/**
 * The one place that decides what a rollout does next: never a host of another domain than the open one, never a second
 * domain before the first has ended, nothing new after a failure or an abort.
 */
export function decide(state: RolloutState, isAborted: boolean): Decision {
  if (state.status !== 'running') return { do: 'nothing' };
  const hosts = Object.values(state.hosts);
  const underWay = hosts.filter((host) => host.underWay).length;
  const failed = state.problems.length > 0 || hosts.some((host) => host.failed);
  if (failed || isAborted) {
    if (underWay > 0) return { do: 'wait' };
    if (isAborted) return { do: 'stop', reason: 'aborted' };
    return state.direction === 'forward' && state.plan.onFailure === 'rollback'
      ? { do: 'roll-back' }
      : { do: 'stop', reason: 'failure' };
  }
  const unknown = Object.keys(state.hosts).filter((name) => isUnknown(state.hosts[name]));
  // Taking back what may not be there is harmless; applying what may be there is not.
  if (unknown.length > 0 && state.direction === 'forward') return { do: 'settle', hosts: unknown };
  const step = nextStep(state);
  if (step === undefined) return { do: 'finish' };
  const { updateDomain } = step;
  if (state.openDomain !== updateDomain) return { do: 'begin-domain', updateDomain, hosts: step.hosts };
  const waiting = step.hosts.filter((name) => isToDo(state, name));
  if (waiting.length === 0)
    return underWay > 0 ? { do: 'wait' } : { do: 'check-health', updateDomain, hosts: step.hosts };
  const free = (state.plan.hostsAtOnce ?? Number.POSITIVE_INFINITY) - underWay;
  return free > 0 ? { do: 'patch', updateDomain, hosts: waiting.slice(0, free) } : { do: 'wait' };
}

/** The domain whose turn it is. A rollback goes the way back, over those that the rollout has come to. */
function nextStep(state: RolloutState): RolloutStep | undefined {
  const isOver = (step: RolloutStep) => state.passedDomains.includes(step.updateDomain);
  if (state.direction === 'forward') return state.plan.steps.find((step) => !isOver(step));
  const touched = (step: RolloutStep) => step.hosts.some((name) => state.hosts[name]?.applied !== 'no');
  return state.plan.steps.findLast(
    (step) => !isOver(step) && (touched(step) || state.openDomain === step.updateDomain),
  );
}

const isUnknown = (host: HostState | undefined): boolean => host?.applied === 'unknown' && !host.underWay;

function isToDo(state: RolloutState, name: string): boolean {
  const host = state.hosts[name];
  if (host === undefined || host.underWay) return false;
  return state.direction === 'forward' ? host.applied === 'no' : host.applied !== 'no';
}
