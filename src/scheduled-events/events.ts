import type { ScheduledEvent } from './event.js';

/** Why an event is gone: its impact is over, it was withdrawn, or its impact could not be made. */
export type RemovalReason = 'completed' | 'cancelled' | 'failed';

/** What happens in a metadata service, as it goes to its event log. */
export type MetadataEvent =
  | { readonly type: 'event-scheduled'; readonly event: ScheduledEvent }
  | { readonly type: 'event-acknowledged'; readonly eventId: string; readonly vm: string }
  | { readonly type: 'event-notice-passed'; readonly eventId: string }
  /** Where it was never Scheduled, it came without notice. */
  | { readonly type: 'event-started'; readonly event: ScheduledEvent }
  | { readonly type: 'event-impact-begin'; readonly eventId: string; readonly vms: readonly string[] }
  | { readonly type: 'event-impact-end'; readonly eventId: string; readonly vms: readonly string[] }
  | { readonly type: 'event-impact-failed'; readonly eventId: string; readonly message: string }
  | { readonly type: 'event-removed'; readonly eventId: string; readonly reason: RemovalReason }
  /** The first request of a VM, or the first after a day of silence, which had disabled the service for it. */
  | { readonly type: 'service-enabled'; readonly vm: string }
  | { readonly type: 'service-disabled'; readonly vm: string };
