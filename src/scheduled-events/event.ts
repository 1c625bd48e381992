/** What happens to the VMs of an event. */
export const EVENT_TYPES = ['Freeze', 'Reboot', 'Redeploy', 'Preempt', 'Terminate'] as const;
/** What an event does to a VM. */
export type EventType = (typeof EVENT_TYPES)[number];

/** The values of an event's source. */
export const EVENT_SOURCES = ['Platform', 'User'] as const;
/** Who asked for it. */
export type EventSource = (typeof EVENT_SOURCES)[number];

/** There is no third status: the end of an event is its removal. */
export type EventStatus = 'Scheduled' | 'Started';

/** One event, as guests see it in whichever api-version. Immutable: a change of status makes another one. */
export interface ScheduledEvent {
  /** A GUID in upper case, constant for the event's life. */
  readonly id: string;
  readonly status: EventStatus;
  readonly type: EventType;
  /** Names of the VMs that it hits. */
  readonly resources: readonly string[];
  /** When it starts unless it is acknowledged before, in milliseconds since the epoch. */
  readonly notBeforeMs: number;
  readonly description: string;
  readonly source: EventSource;
  /** How long the impact is expected to last; 0: no interruption, -1: unknown. */
  readonly durationSeconds: number;
}

const PLATFORM_DESCRIPTION = 'Host server is undergoing maintenance.';
const USER_DESCRIPTIONS: Readonly<Partial<Record<EventType, string>>> = {
  Reboot: 'Virtual machine is going to be restarted as requested by authorized user.',
  Redeploy: 'Virtual machine is going to be redeployed as requested by authorized user.',
  Terminate: 'Virtual machine is going to be deleted as requested by authorized user.',
};
export const EMERGENCY_DESCRIPTION = 'Host server is undergoing an emergency repair.';

/** What an event says of itself where nobody gave it words. */
export const descriptionOf = (type: EventType, source: EventSource): string =>
  (source === 'User' ? USER_DESCRIPTIONS[type] : undefined) ?? PLATFORM_DESCRIPTION;
