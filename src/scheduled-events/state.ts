import type { LogEntry } from '../base/event-log.js';
import type { ScheduledEvent } from './event.js';
import type { MetadataEvent } from './events.js';
import type { GuestRequest } from './guest-view.js';
import type { Acknowledgement } from './store.js';

/** Everything that the service knows, as plain data. Times are in milliseconds since the epoch. */
export interface MetadataState {
  readonly nowMs: number;
  readonly timeScale: number;
  readonly vms: readonly GuestState[];
  readonly events: readonly EventState[];
  /** What the event log has in memory. */
  readonly log: readonly LogEntry<MetadataEvent>[];
}

/** What the service knows of one VM. */
export interface GuestState {
  readonly name: string;
  readonly url: string;
  /** Its availability set. */
  readonly set: string | undefined;
  readonly incarnation: number;
  /** Undefined: nobody has asked yet, or not for a day. In the future: it is being enabled. */
  readonly enabledAtMs: number | undefined;
  /** Requests for Scheduled Events in all, and the newest 20 of them. */
  readonly requests: number;
  readonly recentRequests: readonly GuestRequest[];
  /** Steps of its fault playbook that are still to come. */
  readonly faultsRemaining: number;
  /** What it sees, in the newest api-version. */
  readonly document: unknown;
}

export interface EventState extends ScheduledEvent {
  readonly acknowledgements: readonly Acknowledgement[];
}
