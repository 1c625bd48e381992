import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { LogEntry } from '../base/event-log.js';
import { NS_PER_S } from '../base/units.js';
import type { FleetEvent } from '../fleet/events.js';
import type { ProbeEvent } from '../probe/events.js';
import type { EventStatus } from '../scheduled-events/event.js';

/** From ten microseconds, a pause without patches, to the budget of a maintenance. */
const BLACKOUT_BUCKETS_S = [
  1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];
const DURATION_BUCKETS_S = [1e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** What is counted from the entries of an event log. */
export class LogMetrics {
  readonly #blackout;
  readonly #maintenances;
  readonly #patches;
  readonly #events;
  readonly #acknowledged;
  readonly #ended;
  readonly #probes;
  readonly #present = new Map<string, { readonly host: string; readonly type: string; readonly status: EventStatus }>();

  constructor(registry: Registry) {
    const registers = [registry];
    this.#blackout = new Histogram({
      name: 'standstill_blackout_seconds',
      help: "How long a VM stood still, from its guest's own halt stamp to its own resume stamp",
      labelNames: ['host', 'cause'],
      buckets: BLACKOUT_BUCKETS_S,
      registers,
    });
    this.#maintenances = new Counter({
      name: 'standstill_maintenances_total',
      help: 'Maintenances that ended, by result: ok, not_ok (its report says why), rejected (it was not done)',
      labelNames: ['host', 'result'],
      registers,
    });
    this.#patches = new Histogram({
      name: 'standstill_patch_duration_seconds',
      help: 'How long a patch ran, in its worker',
      labelNames: ['host', 'patch', 'ok'],
      buckets: DURATION_BUCKETS_S,
      registers,
    });
    this.#events = new Gauge({
      name: 'standstill_scheduled_events',
      help: 'Scheduled events that are present, by status',
      labelNames: ['host', 'type', 'status'],
      registers,
    });
    this.#acknowledged = new Counter({
      name: 'standstill_scheduled_events_acknowledged_total',
      help: 'Scheduled events that a VM started early',
      labelNames: ['host', 'vm'],
      registers,
    });
    this.#ended = new Counter({
      name: 'standstill_scheduled_events_ended_total',
      help: 'Scheduled events that are gone, by reason',
      labelNames: ['host', 'type', 'reason'],
      registers,
    });
    this.#probes = new Histogram({
      name: 'standstill_probe_latency_seconds',
      help: 'Answers to steady-state probes, from when each ask was due',
      labelNames: ['probe', 'ok', 'phase'],
      buckets: DURATION_BUCKETS_S,
      registers,
    });
  }

  take(entry: LogEntry<FleetEvent | ProbeEvent>): void {
    switch (entry.type) {
      case 'impact-end': {
        const { host, cause, haltedAtNs, resumedAtNs } = entry;
        this.#blackout.observe({ host, cause }, (resumedAtNs - haltedAtNs) / NS_PER_S);
        return;
      }
      case 'maintenance-end':
        this.#maintenances.inc({ host: entry.host, result: entry.ok ? 'ok' : 'not_ok' });
        return;
      case 'maintenance-rejected':
        this.#maintenances.inc({ host: entry.host, result: 'rejected' });
        return;
      case 'patch-end': {
        const { host, patch, ok, durationNs } = entry;
        this.#patches.observe({ host, patch, ok: String(ok) }, durationNs / NS_PER_S);
        return;
      }
      case 'event-scheduled':
      case 'event-started': {
        const { id, type, status } = entry.event;
        this.#leave(entry.host, id);
        this.#present.set(`${entry.host} ${id}`, { host: entry.host, type, status });
        this.#events.inc({ host: entry.host, type, status });
        return;
      }
      case 'event-acknowledged':
        this.#acknowledged.inc({ host: entry.host, vm: entry.vm });
        return;
      case 'event-removed': {
        const type = this.#leave(entry.host, entry.eventId);
        if (type !== undefined) this.#ended.inc({ host: entry.host, type, reason: entry.reason });
        return;
      }
      case 'probe':
        this.#probes.observe(
          { probe: entry.probe, ok: String(entry.ok), phase: entry.phase },
          entry.latencyNs / NS_PER_S,
        );
    }
  }

  /** The type of the event that has left its status. */
  #leave(host: string, id: string): string | undefined {
    const present = this.#present.get(`${host} ${id}`);
    if (present === undefined) return undefined;
    this.#present.delete(`${host} ${id}`);
    this.#events.dec({ ...present });
    return present.type;
  }
}
