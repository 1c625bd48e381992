import type { LogEntry, LogEvent } from '../base/event-log.js';
import type { FleetEvent } from '../fleet/events.js';
import type { ProbePhase } from './events.js';

/** A log that tells of disturbances, whatever else it tells of. */
export interface WatchedLog {
  /** Calls the listener with each entry from now on; leaving the scope takes it back. */
  subscribe(listener: (entry: LogEntry<LogEvent>) => void): Disposable;
}

type Edge =
  /** Where nobody tells its end, it is over at the latest after so long. */
  { readonly begins: string; readonly endsAfterMs?: number } | { readonly ends: string };

/** Follows an event log and knows which disturbances are under way. */
export class Disturbances implements Disposable {
  readonly #underWay = new Map<string, NodeJS.Timeout | undefined>();
  readonly #listeners = new Set<(edge: 'begin' | 'end') => void>();
  readonly #subscription: Disposable;
  #begun = 0;

  constructor(log: WatchedLog) {
    this.#subscription = log.subscribe((entry) => {
      for (const edge of edgesOf(entry as LogEntry<FleetEvent>)) this.#take(edge);
    });
  }

  get phase(): ProbePhase {
    if (this.#underWay.size > 0) return 'during';
    return this.#begun === 0 ? 'before' : 'after';
  }

  /** How many have begun so far. */
  get begun(): number {
    return this.#begun;
  }

  /** Calls the listener, synchronously, as one begins and as one ends: VMs may stand still, so return quickly. */
  onEdge(listener: (edge: 'begin' | 'end') => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
    for (const timer of this.#underWay.values()) clearTimeout(timer);
  }

  #take(edge: Edge): void {
    if ('begins' in edge) this.#begin(edge.begins, edge.endsAfterMs);
    else this.#end(edge.ends);
  }

  #begin(name: string, endsAfterMs: number | undefined): void {
    if (this.#underWay.has(name)) return;
    const timer = endsAfterMs === undefined ? undefined : setTimeout(() => this.#end(name), endsAfterMs);
    timer?.unref();
    this.#underWay.set(name, timer);
    this.#begun += 1;
    for (const listener of this.#listeners) listener('begin');
  }

  #end(name: string): void {
    if (!this.#underWay.has(name)) return;
    clearTimeout(this.#underWay.get(name));
    this.#underWay.delete(name);
    for (const listener of this.#listeners) listener('end');
  }
}

function edgesOf(entry: LogEntry<FleetEvent>): Edge[] {
  switch (entry.type) {
    case 'rollout-started':
    case 'rollout-resumed':
      return [{ begins: `rollout ${entry.rollout}` }];
    case 'rollout-stopped':
    case 'rollout-done':
    case 'rollout-rolled-back':
      return [{ ends: `rollout ${entry.rollout}` }];
    case 'maintenance-begin':
      return [{ begins: `maintenance of ${entry.host}` }];
    case 'maintenance-end':
    case 'maintenance-rejected':
      return [{ ends: `maintenance of ${entry.host}` }];
    case 'event-impact-begin':
      return [{ begins: `impact of ${entry.eventId}` }];
    case 'event-impact-end':
    case 'event-impact-failed':
    case 'event-removed':
      return [{ ends: `impact of ${entry.eventId}` }];
    // VMs that stood still before have no impact, so that its end may not be told.
    case 'freeze-begin':
      return entry.vms.map((vm) => ({ begins: `freeze of ${entry.host} ${vm}`, endsAfterMs: entry.budgetMs }));
    case 'impact-end':
      return [{ ends: `freeze of ${entry.host} ${entry.vm}` }];
    case 'vm-paused':
      return [{ begins: `pause of ${entry.host} ${entry.vm}` }];
    case 'vm-resumed':
    case 'vm-closed':
      return [{ ends: `pause of ${entry.host} ${entry.vm}` }, { ends: `freeze of ${entry.host} ${entry.vm}` }];
    default:
      return [];
  }
}
