import type { LogEntry } from '../../base/event-log.js';
import type { MetadataEvent } from '../../scheduled-events/events.js';
import type { Style } from '../terminal.js';

/** What is told once everything listens. */
export interface Ready {
  readonly vms: readonly { readonly name: string; readonly url: string }[];
  readonly control: { readonly url: string; readonly token: string } | null;
  /** The URL of the metrics. */
  readonly metrics: string | null;
  readonly ui: { readonly url: string; readonly token: string; readonly page: string } | null;
}

export function renderReady({ vms, control, metrics, ui }: Ready, style: Style): string {
  const width = Math.max(...vms.map(({ name }) => name.length));
  const lines = vms.map(({ name, url }) => `${style.bold(name.padEnd(width))}  ${url}`);
  if (control !== null) lines.push(`control  ${control.url}  token ${control.token}`);
  if (metrics !== null) lines.push(`metrics  ${metrics}`);
  if (ui !== null) lines.push(`dashboard  ${ui.page}`);
  return `${lines.join('\n')}\n`;
}

/** One line for an entry of the event log. */
export function renderEntry(entry: LogEntry<MetadataEvent>, style: Style): string {
  return `${style.dim(new Date(entry.wallTimeMs).toISOString())}  ${textOf(entry)}\n`;
}

function textOf(entry: MetadataEvent): string {
  switch (entry.type) {
    case 'event-scheduled':
    case 'event-started': {
      const { id, type, status, resources, notBeforeMs, durationSeconds } = entry.event;
      const when = status === 'Scheduled' ? `, not before ${new Date(notBeforeMs).toUTCString()}` : '';
      return `${id}  ${type} ${status}: ${resources.join(', ')}${when}, ${durationSeconds} s`;
    }
    case 'event-acknowledged':
      return `${entry.eventId}  acknowledged by ${entry.vm}`;
    case 'event-notice-passed':
      return `${entry.eventId}  its notice has passed`;
    case 'event-impact-begin':
      return `${entry.eventId}  impact begins: ${entry.vms.join(', ')}`;
    case 'event-impact-end':
      return `${entry.eventId}  impact is over: ${entry.vms.join(', ')}`;
    case 'event-impact-failed':
      return `${entry.eventId}  impact failed: ${entry.message}`;
    case 'event-removed':
      return `${entry.eventId}  removed: ${entry.reason}`;
    case 'service-enabled':
      return `${entry.vm}  asks for events: enabled`;
    case 'service-disabled':
      return `${entry.vm}  has not asked for a day: disabled`;
  }
}
