import type { ScheduledEvent } from './event.js';
import { ADDED, type EventApiVersion } from './versions.js';

/**
 * The document of one view in one api-version, as text: exactly the keys that the version has, in the order of the
 * cloud's, since clients build classes from them. Pure.
 */
export function renderDocument(
  incarnation: number,
  events: readonly ScheduledEvent[],
  version: EventApiVersion,
): string {
  const known = events.filter((event) => isKnownIn(event, version));
  return JSON.stringify({ DocumentIncarnation: incarnation, Events: known.map((event) => entryOf(event, version)) });
}

function isKnownIn({ type }: ScheduledEvent, version: EventApiVersion): boolean {
  if (type === 'Preempt') return version >= ADDED.preempt;
  if (type === 'Terminate') return version >= ADDED.terminate;
  return true;
}

const entryOf = (event: ScheduledEvent, version: EventApiVersion): object => ({
  EventId: event.id,
  EventStatus: event.status,
  EventType: event.type,
  ResourceType: 'VirtualMachine',
  Resources: version >= ADDED.plainNames ? event.resources : event.resources.map((name) => `_${name}`),
  // RFC 1123 in whole seconds, cut and not rounded: the event never starts before it.
  NotBefore: event.status === 'Started' ? '' : new Date(event.notBeforeMs).toUTCString(),
  ...(version >= ADDED.description && { Description: event.description }),
  ...(version >= ADDED.eventSource && { EventSource: event.source }),
  ...(version >= ADDED.durationInSeconds && { DurationInSeconds: event.durationSeconds }),
});
