import { quantileSorted } from 'simple-statistics';
import type { LogEntry } from '../base/event-log.js';
import { checkRollout, type RolloutViolation } from './check-rollout.js';
import type { FleetEvent } from './events.js';
import type { VmPlace } from './placement.js';
import type { Applied, Direction, StopReason } from './rollout-events.js';
import { evolve, type RolloutState, type RolloutStatus } from './rollout-state.js';

/** Of `RolloutReport`; another one where a key changes its meaning. */
export const ROLLOUT_REPORT_SCHEMA_VERSION = 1;

/** What a rollout did, as JSON, derived from the entries of the event log. Durations are nanoseconds. */
export interface RolloutReport {
  schemaVersion: typeof ROLLOUT_REPORT_SCHEMA_VERSION;
  /** Done, with every host patched and every VM well, and no violation of the invariants. */
  ok: boolean;
  rollout: string;
  status: RolloutStatus;
  direction: Direction;
  /** Why it stopped; null unless it has. */
  stoppedBy: StopReason | null;
  /** A sentence each. */
  problems: string[];
  /** From its start to the newest entry of it, pauses and the time without a process included. */
  durationNs: number;
  domains: DomainReport[];
  hosts: HostRolloutReport[];
  vms: VmRolloutReport[];
  /** Over the maintenances of all VMs; null where there was none. */
  blackout: BlackoutSummary | null;
  /** Null where the log in memory has lost its first entries: then nothing is proved, and the report is not ok. */
  invariants: InvariantReport | null;
}

/** One pass over an update domain, forward or back. */
export interface DomainReport {
  updateDomain: number;
  direction: Direction;
  hosts: string[];
  /** Null while it is not over. */
  ok: boolean | null;
  durationNs: number | null;
}

/** What became of one host. */
export interface HostRolloutReport {
  host: string;
  updateDomain: number;
  applied: Applied;
  /** How often its maintenance was begun, in both directions. */
  maintenances: number;
  durationNs: number;
  problems: string[];
}

export interface VmRolloutReport extends VmPlace {
  /** The longest of this rollout, from halt to resume by the guest's own stamps; null where it had none. */
  blackoutNs: number | null;
  /** What its health check found last; null where there was none or nothing was found. */
  problem: string | null;
}

/** Over all VMs of all maintenances; exact order statistics, in nanoseconds. */
export interface BlackoutSummary {
  samples: number;
  p50Ns: number;
  p99Ns: number;
  maxNs: number;
}

/** What `checkRollout` found; violations name the entries of the log by their numbers. */
export interface InvariantReport {
  ok: boolean;
  instants: number;
  impacts: number;
  violations: (Omit<RolloutViolation, 'entries'> & { seqs: number[] })[];
}

type Entries = readonly LogEntry<FleetEvent>[];

/** The report of the last rollout in these entries; undefined where there is none. */
export function rolloutReport(entries: Entries): RolloutReport | undefined {
  const start = entries.findLastIndex((entry) => entry.type === 'rollout-started');
  const own = entries.slice(start === -1 ? entries.length : start);
  let state: RolloutState | undefined;
  for (const entry of own) state = evolve(state, entry);
  if (state === undefined) return undefined;
  const invariants = invariantsOf(entries);
  const blackouts = blackoutsOf(own);
  const ends = own.filter((entry) => 'rollout' in entry);
  return {
    schemaVersion: ROLLOUT_REPORT_SCHEMA_VERSION,
    ok: state.status === 'done' && state.problems.length === 0 && invariants?.ok === true,
    rollout: state.id,
    status: state.status,
    direction: state.direction,
    stoppedBy: state.stoppedBy,
    problems: [...problemsOf(own), ...unproven(invariants)],
    durationNs: (ends.at(-1)?.atNs ?? 0) - (own[0]?.atNs ?? 0),
    domains: domainsOf(own),
    hosts: hostsOf(state, own),
    vms: vmsOf(entries, own, blackouts),
    blackout: summaryOf([...blackouts.values()].flat()),
    invariants,
  };
}

/** Every problem since the last resume; a rollback keeps the problems that led to it. */
function problemsOf(own: Entries): string[] {
  const begin = own.findLastIndex(({ type }) => type === 'rollout-started' || type === 'rollout-resumed');
  const problems = own.slice(begin).flatMap((entry) => {
    if (entry.type === 'host-patch-end') return entry.problems.map((problem) => `${entry.host}: ${problem}`);
    if (entry.type === 'domain-end') return entry.problems;
    if (entry.type === 'rollout-stopped' && entry.reason === 'in-doubt') return entry.problems;
    return [];
  });
  return [...problems];
}

function domainsOf(own: Entries): DomainReport[] {
  const domains: (DomainReport & { beganAtNs: number })[] = [];
  for (const entry of own) {
    if (entry.type === 'domain-begin') {
      const { updateDomain, direction, hosts, atNs } = entry;
      domains.push({ updateDomain, direction, hosts: [...hosts], ok: null, durationNs: null, beganAtNs: atNs });
    }
    const open = domains.at(-1);
    if (entry.type === 'domain-end' && open !== undefined) {
      open.ok = entry.ok;
      open.durationNs = entry.atNs - open.beganAtNs;
    }
  }
  return domains.map(({ beganAtNs: _, ...domain }) => domain);
}

function hostsOf(state: RolloutState, own: Entries): HostRolloutReport[] {
  return state.plan.steps.flatMap(({ updateDomain, hosts }) =>
    hosts.map((host) => {
      const begins = own.filter((entry) => entry.type === 'host-patch-begin' && entry.host === host);
      const ends = own.flatMap((entry) => (entry.type === 'host-patch-end' && entry.host === host ? [entry] : []));
      return {
        host,
        updateDomain,
        applied: state.hosts[host]?.applied ?? 'unknown',
        maintenances: begins.length,
        durationNs: ends.reduce((sum, { durationNs }) => sum + durationNs, 0),
        problems: [...(ends.at(-1)?.problems ?? [])],
      };
    }),
  );
}

function vmsOf(entries: Entries, own: Entries, blackouts: ReadonlyMap<string, number[]>): VmRolloutReport[] {
  const places = new Map<string, VmPlace>();
  for (const entry of entries) {
    if (entry.type === 'fleet-opened') places.clear();
    if (entry.type === 'vm-placed') {
      const { vm, availabilitySet, host, updateDomain, faultDomain } = entry;
      places.set(vm, { vm, availabilitySet, host, updateDomain, faultDomain });
    }
  }
  return [...places.values()].map((place) => {
    const health = own.findLast((entry) => entry.type === 'health' && entry.vm === place.vm);
    const longest = blackouts.get(place.vm)?.reduce((a, b) => Math.max(a, b));
    return { ...place, blackoutNs: longest ?? null, problem: health?.type === 'health' ? health.problem : null };
  });
}

/** By VM, of the maintenances of this rollout. */
function blackoutsOf(own: Entries): Map<string, number[]> {
  const worked = new Set<string>();
  const blackouts = new Map<string, number[]>();
  for (const entry of own) {
    if (entry.type === 'host-patch-begin') worked.add(entry.host);
    if (entry.type === 'host-patch-end') worked.delete(entry.host);
    if (entry.type !== 'impact-end' || entry.cause !== 'maintenance' || !worked.has(entry.host)) continue;
    const blackoutNs = entry.resumedAtNs - entry.haltedAtNs;
    blackouts.set(entry.vm, [...(blackouts.get(entry.vm) ?? []), blackoutNs]);
  }
  return blackouts;
}

function summaryOf(blackoutsNs: readonly number[]): BlackoutSummary | null {
  if (blackoutsNs.length === 0) return null;
  const sorted = blackoutsNs.toSorted((a, b) => a - b);
  return {
    samples: sorted.length,
    p50Ns: quantileSorted(sorted, 0.5),
    p99Ns: quantileSorted(sorted, 0.99),
    maxNs: sorted.at(-1) ?? 0,
  };
}

const unproven = (invariants: InvariantReport | null): string[] =>
  invariants?.violations.map(({ message }) => message) ?? ['the invariants are unproven: the log has lost entries'];

function invariantsOf(entries: Entries): InvariantReport | null {
  if (entries[0]?.seq !== 1) return null;
  const { ok, instants, impacts, violations } = checkRollout(entries);
  return {
    ok,
    instants,
    impacts,
    violations: violations.map(({ entries: shown, ...violation }) => ({
      ...violation,
      seqs: shown.map(({ seq }) => seq),
    })),
  };
}
