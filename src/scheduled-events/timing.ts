import { z } from 'zod';
import { EVENT_TYPES, type EventType } from './event.js';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** The longest time that a timer of Node holds is 24.8 days. */
export const DURATION_MS_MAX = 7 * DAY_MS;

/** The notice that the cloud gives at most, by type. */
const NOTICE_MS_DEFAULT: Readonly<Record<EventType, number>> = {
  Freeze: 15 * MINUTE_MS,
  Reboot: 15 * MINUTE_MS,
  Redeploy: 10 * MINUTE_MS,
  Preempt: 30_000,
  Terminate: 5 * MINUTE_MS,
};
const SETTLE_MS_DEFAULT = 5000;

const EXPECTED_DURATION = `milliseconds from 0 to ${DURATION_MS_MAX}`;
const EXPECTED_DISABLE = `milliseconds above 0, up to ${DURATION_MS_MAX}`;
const EXPECTED_SCALE = 'a number from 1 to 1000000';
const EXPECTED_NOTICE = 'milliseconds, or an object of milliseconds by event type,';

export const eventDurationSchema = z
  .number(EXPECTED_DURATION)
  .min(0, EXPECTED_DURATION)
  .max(DURATION_MS_MAX, EXPECTED_DURATION);

/** The fields of a schema that a `Timing` is made of. */
export const timingFields = {
  noticeMs: z
    .union([eventDurationSchema, z.partialRecord(z.enum(EVENT_TYPES), eventDurationSchema)], EXPECTED_NOTICE)
    .default({}),
  settleMs: eventDurationSchema.default(SETTLE_MS_DEFAULT),
  enablingDelayMs: eventDurationSchema.default(0),
  disableAfterMs: z
    .number(EXPECTED_DISABLE)
    .positive(EXPECTED_DISABLE)
    .max(DURATION_MS_MAX, EXPECTED_DISABLE)
    .default(DAY_MS),
  timeScale: z.number(EXPECTED_SCALE).min(1, EXPECTED_SCALE).max(1e6, EXPECTED_SCALE).default(1),
};

export type ParsedTiming = z.output<z.ZodObject<typeof timingFields>>;

/** How long things take. Each is given as the cloud has it, and divided by `timeScale`. */
export interface TimingOptions {
  /**
   * From the schedule of an event to its NotBefore, for all types or by type. Default as in the cloud: Freeze and Reboot
   * 15 min, Redeploy 10 min, Terminate 5 min, Preempt 30 s. 0 to 7 days.
   */
  noticeMs?: number | Partial<Record<EventType, number>> | undefined;
  /** From the end of an impact to the removal of its event. Default 5,000; 0 to 7 days. */
  settleMs?: number | undefined;
  /** How long the first request of a VM waits for its reply. Default 0; up to 7 days. The cloud takes up to 2 min. */
  enablingDelayMs?: number | undefined;
  /** A VM that asks nothing for so long is disabled, and its incarnation reset. Default 24 h. */
  disableAfterMs?: number | undefined;
  /** How much faster than in the cloud time passes: every duration is divided by it. Default 1; 1 to 1,000,000. */
  timeScale?: number | undefined;
}

/** The durations as they are waited for here, scaled. */
export class Timing {
  readonly timeScale: number;
  readonly #options: ParsedTiming;

  constructor(options: ParsedTiming) {
    this.#options = options;
    this.timeScale = options.timeScale;
  }

  /** Any duration of the cloud, in milliseconds here. */
  scaled(durationMs: number): number {
    return durationMs / this.timeScale;
  }

  noticeMs(type: EventType): number {
    const { noticeMs } = this.#options;
    return this.scaled(typeof noticeMs === 'number' ? noticeMs : (noticeMs[type] ?? NOTICE_MS_DEFAULT[type]));
  }

  get settleMs(): number {
    return this.scaled(this.#options.settleMs);
  }

  get enablingDelayMs(): number {
    return this.scaled(this.#options.enablingDelayMs);
  }

  get disableAfterMs(): number {
    return this.scaled(this.#options.disableAfterMs);
  }
}
