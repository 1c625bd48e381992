import { z } from 'zod';
import { EVENT_SOURCES, EVENT_TYPES, type EventSource, type EventType } from './event.js';
import type { RemovalReason } from './events.js';
import { eventDurationSchema } from './timing.js';

const EXPECTED_NAMES = 'an array of names of VMs';
const EXPECTED_TEXT = 'text of 1 to 1024 characters';

/** How long an impact lasts where nobody says: a Freeze as in captures of the cloud; what takes longer there does here. */
const DURATION_MS_DEFAULT: Readonly<Record<EventType, number>> = {
  Freeze: 9000,
  Reboot: 30_000,
  Redeploy: 60_000,
  Preempt: 0,
  Terminate: 0,
};
/** What a user asks for in the cloud; the rest is the platform's. */
const USER_TYPES: ReadonlySet<EventType> = new Set(['Reboot', 'Redeploy', 'Terminate']);

const vmsSchema = z.array(z.string(EXPECTED_NAMES), EXPECTED_NAMES).min(1, EXPECTED_NAMES).optional();
const secondSchema = z.strictObject({ afterMs: eventDurationSchema, durationMs: eventDurationSchema });
const impactFields = {
  vms: vmsSchema,
  durationMs: eventDurationSchema.optional(),
  settleMs: eventDurationSchema.optional(),
  second: secondSchema.optional(),
};

export const raiseSchema = z
  .strictObject({
    ...impactFields,
    type: z.enum(EVENT_TYPES, `one of ${EVENT_TYPES.join(', ')}`),
    noticeMs: eventDurationSchema.optional(),
    source: z.enum(EVENT_SOURCES, "'Platform' or 'User'").optional(),
    description: z.string(EXPECTED_TEXT).min(1, EXPECTED_TEXT).max(1024, EXPECTED_TEXT).optional(),
  })
  .transform(({ durationMs, source, ...given }) => ({
    ...given,
    durationMs: durationMs ?? DURATION_MS_DEFAULT[given.type],
    isDurationKnown: durationMs !== undefined || given.type === 'Freeze',
    source: source ?? (USER_TYPES.has(given.type) ? ('User' as const) : ('Platform' as const)),
  }));

export const failureSchema = z.strictObject(impactFields);

export type ParsedRaise = z.output<typeof raiseSchema>;

/** A second, shorter impact while the event is Started. */
export interface SecondImpact {
  /** From the end of the first one, in milliseconds. */
  afterMs: number;
  durationMs: number;
}

/** A failure of the host's hardware: a Reboot without notice, Started from the begin. */
export interface HardwareFailureOptions {
  /** Names of the VMs that it hits. Default: all. */
  vms?: readonly string[] | undefined;
  /** How long the impact lasts, in milliseconds, 0 to 7 days. Default: Freeze 9,000, Reboot 30,000, Redeploy 60,000. */
  durationMs?: number | undefined;
  /** From the end of the impact to the removal of the event. Default: the server's. */
  settleMs?: number | undefined;
  second?: SecondImpact | undefined;
}

/** An event without a maintenance behind it. All durations are the cloud's, and divided by the server's `timeScale`. */
export interface RaiseOptions extends HardwareFailureOptions {
  /** Freeze: the VMs stand still. Reboot, Redeploy: they start anew. Preempt, Terminate: they are closed. */
  type: EventType;
  /** From now to NotBefore. Default: the server's for the type. */
  noticeMs?: number | undefined;
  /** Default: User for Reboot, Redeploy and Terminate, else Platform. */
  source?: EventSource | undefined;
  /** Default: the cloud's words. */
  description?: string | undefined;
}

/** One raised event, from its schedule to its removal. */
export interface RaisedEvent {
  readonly id: string;
  readonly type: EventType;
  /** The VMs that it hits: those of one availability set, or one VM. */
  readonly vms: readonly string[];
  /** Resolves when the event is gone: with why, and, where its impact failed, with the error. */
  readonly done: Promise<EventEnd>;
}

/** How an event ended. */
export interface EventEnd {
  readonly reason: RemovalReason;
  readonly error?: unknown;
}
