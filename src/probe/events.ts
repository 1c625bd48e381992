import type { LogEntry, LogEvent } from '../base/event-log.js';
import type { ProbeReport } from '../maintenance/health.js';

/**
 * Where an answer stands to the disturbances that the log tells of (maintenances, rollouts, freezes, pauses, impacts of
 * scheduled events): 'during' where one was under way at any moment from the asking to the answer, 'before' the first of
 * them began, 'after' one has ended.
 */
export type ProbePhase = 'before' | 'during' | 'after';

/** What probes write to the event log. */
export type ProbeEvent =
  /** One answer, written when it came; `latencyNs` counts from when the asking was due. */
  | {
      readonly type: 'probe';
      readonly probe: string;
      readonly ok: boolean;
      readonly latencyNs: number;
      readonly phase: ProbePhase;
      /** Null where it is ok. */
      readonly error: ProbeReport['error'];
    }
  /** It fell below the share that its `abort` asks for. */
  | { readonly type: 'probe-unhealthy'; readonly probe: string; readonly message: string };

/** The entries of probes among those of a host's log or a fleet's: `probeEntries(host.log.entries)`. */
export const probeEntries = (entries: readonly LogEntry<LogEvent>[]): LogEntry<ProbeEvent>[] =>
  entries.filter((entry): entry is LogEntry<ProbeEvent> => entry.type === 'probe' || entry.type === 'probe-unhealthy');
