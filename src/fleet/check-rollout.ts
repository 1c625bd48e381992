import { z } from 'zod';
import { StandstillError } from '../base/errors.js';
import type { EventLog, LogEntry } from '../base/event-log.js';
import { parseOptions } from '../base/options.js';
import { formatNs } from '../base/units.js';
import type { FleetEvent } from './events.js';
import { type Edge, edgesOf } from './impact-edges.js';

const EXPECTED_SHARE = 'a number from 0 to 1';

const checkSchema = z.strictObject({
  runningShareMin: z.number(EXPECTED_SHARE).min(0, EXPECTED_SHARE).max(1, EXPECTED_SHARE).optional(),
});

/** What must hold beside the order of the update domains. */
export interface RolloutCheckOptions {
  /**
   * The share of each set's VMs that must run at every instant, 0 to 1. VMs that their user has paused, not started or
   * closed do not count. Default: all but those of the set's largest update domain.
   */
  runningShareMin?: number | undefined;
}

/** One moment at which an invariant did not hold, and the entries that show it. */
export interface RolloutViolation {
  /**
   * 'two-domains': VMs of two update domains of one set stood still at the same instant. 'too-few-running': less than the
   * promised share ran. 'patched-twice': patches that were on a host were applied to it again.
   */
  readonly kind: 'two-domains' | 'too-few-running' | 'patched-twice';
  /** Null for 'patched-twice'. */
  readonly availabilitySet: string | null;
  /** Nanoseconds since the log's begin. */
  readonly atNs: number;
  readonly message: string;
  /** The entries that show it. */
  readonly entries: readonly LogEntry<FleetEvent>[];
}

/** What `checkRollout` found in an event log. */
export interface RolloutCheck {
  readonly ok: boolean;
  /** What was looked at: how many instants, and how many impacts on VMs of sets. None of them proves nothing. */
  readonly instants: number;
  readonly impacts: number;
  readonly violations: readonly RolloutViolation[];
}

type Entries = readonly LogEntry<FleetEvent>[];

/**
 * Proves from the entries of a fleet's log that at every instant at most one update domain of each availability set was
 * impacted and that at least the promised share of the set ran, and that no host was patched twice. Pure: it reads the
 * entries alone, all of them from the first on. Impacts of every cause count: maintenances, the inspection behind them,
 * freezes by hand, restarts by events. Throws ERR_INVALID_OPTION (entries from the first on are missing), ERR_UNKNOWN_OPTION.
 */
export function checkRollout(log: EventLog<FleetEvent> | Entries, options: RolloutCheckOptions = {}): RolloutCheck {
  const { runningShareMin } = parseOptions(checkSchema, options, 'a check of a rollout');
  const entries = 'append' in log ? log.entries : log;
  assertWhole(entries);
  const edges = edgesOf(entries);
  const violations: RolloutViolation[] = [];
  const sets = new Map<string, SetWatch>();
  const changed = new Set<SetWatch>();
  let instants = 0;
  for (const [index, edge] of edges.entries()) {
    if (edge.vm === null) {
      sets.clear();
      continue;
    }
    const { availabilitySet } = edge.vm;
    const set = sets.get(availabilitySet) ?? new SetWatch(availabilitySet);
    sets.set(availabilitySet, set);
    set.apply(edge);
    changed.add(set);
    // Several things may happen at one instant: it is looked at when all have.
    if (edges[index + 1]?.atNs === edge.atNs) continue;
    instants += 1;
    for (const each of changed) violations.push(...each.violations(edge.atNs, runningShareMin));
    changed.clear();
  }
  violations.push(...patchedTwice(entries));
  const impacts = edges.filter(({ change }) => change === 'impact-begin').length;
  return { ok: violations.length === 0, instants, impacts, violations };
}

/**
 * The same as an assertion: throws ERR_ROLLOUT_VIOLATION with the first violation, and ERR_INVALID_OPTION where no VM of
 * a set was impacted, for then there is nothing to prove.
 */
export function assertOneDomainAtATime(log: EventLog<FleetEvent> | Entries, options: RolloutCheckOptions = {}): void {
  const { violations, impacts } = checkRollout(log, options);
  const [first] = violations;
  if (first !== undefined) {
    const more = violations.length === 1 ? '' : ` (and ${violations.length - 1} more)`;
    throw new StandstillError('ERR_ROLLOUT_VIOLATION', `${first.message}${more}`);
  }
  if (impacts > 0) return;
  const message = 'Expected the impact on a VM of an availability set for a check of a rollout but received none';
  throw new StandstillError('ERR_INVALID_OPTION', message);
}

function assertWhole(entries: Entries): void {
  const gap = entries.findIndex(({ seq }, index) => seq !== index + 1);
  if (gap === -1) return;
  throw new StandstillError(
    'ERR_INVALID_OPTION',
    `Expected all entries from the first on for a check of a rollout but entry ${gap + 1} is missing`,
  );
}

interface WatchedVm {
  readonly updateDomain: number;
  /** It would run, but for maintenance and faults. */
  meantToRun: boolean;
  faulted: LogEntry<FleetEvent> | undefined;
  /** The impacts that it is in. */
  impacts: LogEntry<FleetEvent>[];
}

/** One set at one instant. A violation is told when it begins, not at each instant that it lasts. */
class SetWatch {
  readonly #name: string;
  readonly #vms = new Map<string, WatchedVm>();
  #twoDomains = false;
  #tooFew = false;

  constructor(name: string) {
    this.#name = name;
  }

  apply({ vm: place, change, entry }: Edge): void {
    if (place === null) return;
    const vm = this.#vms.get(place.vm) ?? {
      updateDomain: place.updateDomain,
      meantToRun: false,
      faulted: undefined,
      impacts: [],
    };
    this.#vms.set(place.vm, vm);
    if (change === 'closed') this.#vms.delete(place.vm);
    if (change === 'runs') vm.meantToRun = true;
    if (change === 'paused') vm.meantToRun = false;
    if (change === 'faulted') vm.faulted = entry;
    if (change === 'mended') vm.faulted = undefined;
    if (change === 'impact-begin') vm.impacts.push(entry);
    if (change === 'impact-end') vm.impacts.pop();
  }

  violations(atNs: number, runningShareMin: number | undefined): RolloutViolation[] {
    const vms = [...this.#vms.values()];
    const impacted = vms.filter(({ impacts }) => impacts.length > 0);
    const domains = [...new Set(impacted.map(({ updateDomain }) => updateDomain))].sort((a, b) => a - b);
    const meant = vms.filter(({ meantToRun }) => meantToRun);
    const down = meant.filter(({ impacts, faulted }) => impacts.length > 0 || faulted !== undefined);
    const required =
      runningShareMin === undefined ? meant.length - largestDomain(meant) : runningShareMin * meant.length;
    const running = meant.length - down.length;
    const found: RolloutViolation[] = [];
    const tell = (kind: RolloutViolation['kind'], message: string, entries: Entries) =>
      found.push({ kind, availabilitySet: this.#name, atNs, message, entries });
    const at = `at ${formatNs(atNs)}`;
    const isTwo = domains.length > 1;
    if (isTwo && !this.#twoDomains) {
      const entries = impacted.flatMap(({ impacts }) => impacts);
      tell(
        'two-domains',
        `Expected one update domain of '${this.#name}' to be impacted ${at} but ${domains.join(' and ')} were`,
        entries,
      );
    }
    const isTooFew = running < required - 1e-9;
    if (isTooFew && !this.#tooFew) {
      const expected = `Expected ${Math.ceil(required - 1e-9)} of ${meant.length} VMs of '${this.#name}' to run ${at}`;
      const entries = down.flatMap(({ impacts, faulted }) => (faulted === undefined ? impacts : [...impacts, faulted]));
      tell('too-few-running', `${expected} but ${running} did`, entries);
    }
    this.#twoDomains = isTwo;
    this.#tooFew = isTooFew;
    return found;
  }
}

function largestDomain(vms: readonly WatchedVm[]): number {
  const counts = new Map<number, number>();
  for (const { updateDomain } of vms) counts.set(updateDomain, (counts.get(updateDomain) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

function patchedTwice(entries: Entries): RolloutViolation[] {
  const violations: RolloutViolation[] = [];
  /** The entry that put the patches of a rollout on a host, by both. */
  const patched = new Map<string, LogEntry<FleetEvent>>();
  for (const entry of entries) {
    if (entry.type !== 'host-patch-begin' && entry.type !== 'host-patch-end' && entry.type !== 'host-settled') continue;
    const key = `${entry.rollout} ${entry.host}`;
    if (entry.type === 'host-patch-begin') {
      const before = entry.direction === 'forward' ? patched.get(key) : undefined;
      if (before === undefined) continue;
      const message = `Expected the patches of a rollout to be applied to ${entry.host} once but they were again`;
      violations.push({
        kind: 'patched-twice',
        availabilitySet: null,
        atNs: entry.atNs,
        message,
        entries: [before, entry],
      });
    } else if (entry.applied === 'yes') patched.set(key, entry);
    else patched.delete(key);
  }
  return violations;
}
