import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { orAborted } from '../../base/abort.js';
import type { Prng } from '../../base/prng.js';
import type { Action, ScheduleEntry } from '../scenario.js';

/** One thing to be done, and when: what a seed decides is decided. */
export interface PlannedAction {
  /** The entry's; with a number from 1 where it is done more than once. */
  readonly id: string;
  readonly entry: string;
  /** Milliseconds since the start, or since `after` where there is one. */
  readonly dueMs: number;
  /** A milestone; null: it is due by the clock alone. */
  readonly after: string | null;
  readonly action: Action;
}

/** The same entries and seed give the same times. */
export function planSchedule(entries: readonly ScheduleEntry[], prng: Prng): PlannedAction[] {
  return entries.flatMap(({ id, start, everyMs, times, jitterMs, action }) =>
    Array.from({ length: times }, (_, index) => ({
      id: times === 1 ? id : `${id}#${index + 1}`,
      entry: id,
      dueMs:
        (start.kind === 'at' ? start.atMs : start.delayMs) + index * (everyMs ?? 0) + prng.nextFraction() * jitterMs,
      after: start.kind === 'at' ? null : start.kind === 'after-entry' ? ofEntry(start.entry) : ofEvent(start.type),
      action,
    })),
  );
}

/** The milestone of an entry that has ended for the last time. */
const ofEntry = (id: string): string => `entry ${id}`;
/** The milestone of the first entry of the event log that has this type. */
export const ofEvent = (type: string): string => `event ${type}`;

/** What has happened, of what something may wait for. */
export class Milestones {
  readonly #reached = new Set<string>();
  readonly #waiting = new Map<string, (() => void)[]>();

  reach(name: string): void {
    this.#reached.add(name);
    const waiting = this.#waiting.get(name) ?? [];
    this.#waiting.delete(name);
    for (const resolve of waiting) resolve();
  }

  /** Resolves as soon as it has been reached: at once where it was before. */
  async reached(name: string): Promise<void> {
    if (this.#reached.has(name)) return;
    await new Promise<void>((resolve) => {
      this.#waiting.set(name, [...(this.#waiting.get(name) ?? []), resolve]);
    });
  }
}

export interface ScheduleHands {
  readonly milestones: Milestones;
  /** Does it; never rejects. */
  perform(planned: PlannedAction): Promise<void>;
  /** Its milestone has never been reached: it is not done. */
  missed(planned: PlannedAction): void;
  /** Milliseconds since the start. */
  nowMs(): number;
  /** How long milestones are waited for once nothing else is under way. */
  readonly patienceMs: number;
  /** Aborting it begins nothing further. */
  readonly signal: AbortSignal;
}

/** Does what was planned, each when it is due, and resolves when all of it has ended or cannot come any more. */
export async function followSchedule(actions: readonly PlannedAction[], hands: ScheduleHands): Promise<void> {
  const { milestones, signal } = hands;
  const left = new Map<string, number>();
  for (const { entry } of actions) left.set(entry, (left.get(entry) ?? 0) + 1);
  using quiet = new Quiet(hands.patienceMs);
  const over = AbortSignal.any([signal, quiet.signal]);
  setMaxListeners(0, over, signal); // each action listens
  const follow = async (planned: PlannedAction) => {
    if (planned.after !== null && !(await happens(milestones.reached(planned.after), over))) {
      if (!signal.aborted) hands.missed(planned);
      return;
    }
    using _busy = quiet.busy();
    if (!(await isDue(planned, hands))) return;
    await hands.perform(planned);
    const pending = (left.get(planned.entry) ?? 0) - 1;
    left.set(planned.entry, pending);
    if (pending === 0) milestones.reach(ofEntry(planned.entry));
  };
  await Promise.all(actions.map(follow));
}

/** Aborts its signal once nothing has been under way for so long. */
class Quiet implements Disposable {
  readonly #giveUp = new AbortController();
  readonly #patienceMs: number;
  #underWay = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
    this.#watch();
  }

  get signal(): AbortSignal {
    return this.#giveUp.signal;
  }

  /** Something is under way until the result is disposed of. */
  busy(): Disposable {
    this.#underWay += 1;
    clearTimeout(this.#timer);
    return {
      [Symbol.dispose]: () => {
        this.#underWay -= 1;
        if (this.#underWay === 0) this.#watch();
      },
    };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #watch(): void {
    this.#timer = setTimeout(() => this.#giveUp.abort(), this.#patienceMs);
  }
}

/** False where the signal came first. */
const happens = (what: Promise<void>, signal: AbortSignal): Promise<boolean> =>
  orAborted(what, signal).then(
    () => true,
    () => false,
  );

async function isDue({ dueMs, after }: PlannedAction, { nowMs, signal }: ScheduleHands): Promise<boolean> {
  const dueAtMs = after === null ? dueMs : nowMs() + dueMs;
  // A timer drops fractions and may come early.
  while (!signal.aborted && nowMs() < dueAtMs) {
    await sleep(Math.ceil(dueAtMs - nowMs()), undefined, { signal }).catch(() => {});
  }
  return !signal.aborted;
}
