import { Registry } from 'prom-client';
import type { LogEntry } from '../base/event-log.js';
import type { FleetEvent } from '../fleet/events.js';
import { Fleet } from '../fleet/fleet.js';
import type { Host } from '../host/host.js';
import { LogMetrics } from './log-metrics.js';
import { registerStateMetrics } from './state-metrics.js';

/** Metrics in Prometheus' text format. Dispose of them to count no more. */
export interface HostMetrics extends Disposable {
  /** A prom-client registry of its own: to add to, or for `Registry.merge`. */
  readonly registry: Registry;
  /** Of the text, as HTTP has it. */
  readonly contentType: string;
  /** What a scrape answers. */
  text(): Promise<string>;
}

/**
 * Prometheus metrics of a host, or of all hosts of a fleet: blackouts, maintenances, patches, scheduled events and probes
 * from the event log, as far as it holds them of this process; VMs by state, dirty pages and snapshot memory as of each
 * scrape. Durations are in seconds, as Prometheus has them.
 *
 * ```js
 * using metrics = hostMetrics(host);
 * createServer(async (_, response) => response.setHeader('content-type', metrics.contentType).end(await metrics.text()));
 * ```
 */
export function hostMetrics(of: Host | Fleet): HostMetrics {
  const registry = new Registry();
  const counted = new LogMetrics(registry);
  const take = (entry: LogEntry<FleetEvent>) => counted.take(entry);
  const entries: readonly LogEntry<FleetEvent>[] = of.log.entries;
  for (const entry of entries.slice(entries.findLastIndex(({ type }) => type === 'fleet-opened') + 1)) take(entry);
  const subscription = of.log.subscribe(take);
  registerStateMetrics(registry, of instanceof Fleet ? of.hosts : [of]);
  return {
    registry,
    contentType: registry.contentType,
    text: () => registry.metrics(),
    [Symbol.dispose]: () => subscription[Symbol.dispose](),
  };
}
