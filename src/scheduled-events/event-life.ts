import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../base/errors.js';
import type { EventLog } from '../base/event-log.js';
import type { EventType, ScheduledEvent } from './event.js';
import type { MetadataEvent } from './events.js';
import type { GuestImpacts } from './impacts.js';
import type { EventEnd } from './raise.js';
import type { EventStore } from './store.js';

/** What an event does once it has started; all durations as they are here. */
export interface ImpactPlan {
  readonly durationMs: number;
  readonly settleMs: number;
  readonly second: { readonly afterMs: number; readonly durationMs: number } | undefined;
}

export interface LifeAround {
  readonly store: EventStore;
  readonly log: EventLog<MetadataEvent>;
  readonly impactsOf: (vm: string) => GuestImpacts | undefined;
  /** Aborts when the service ends: what has not begun does not, and nothing is waited for. */
  readonly ending: AbortSignal;
}

/** Takes a scheduled event through its life: due → Started → impact → settled → removed. Never rejects. */
export async function live(event: ScheduledEvent, plan: ImpactPlan, around: LifeAround): Promise<EventEnd> {
  const { store, ending } = around;
  const due = event.status === 'Started' ? undefined : await store.due(event.id);
  if (due === 'removed' || ending.aborted) return { reason: 'cancelled' };
  store.start(event.id);
  const failure = await impact(event, plan, around);
  await pause(plan.settleMs, ending);
  const reason = failure === undefined ? 'completed' : 'failed';
  store.remove(event.id, reason);
  return { reason, ...failure };
}

async function impact(
  { id, type, resources }: ScheduledEvent,
  { durationMs, second }: ImpactPlan,
  { log, impactsOf, ending }: LifeAround,
): Promise<{ error: unknown } | undefined> {
  const once = async (lastsMs: number) => {
    log.append({ type: 'event-impact-begin', eventId: id, vms: resources });
    await allOf(resources.map((vm) => happen(type, lastsMs, impactsOf(vm), ending)));
    log.append({ type: 'event-impact-end', eventId: id, vms: resources });
  };
  try {
    await once(durationMs);
    if (second === undefined) return undefined;
    await pause(second.afterMs, ending);
    if (!ending.aborted) await once(second.durationMs);
    return undefined;
  } catch (error) {
    log.append({ type: 'event-impact-failed', eventId: id, message: messageOf(error) });
    return { error };
  }
}

/** A VM that nobody owns is hit by nothing, for as long. */
async function happen(
  type: EventType,
  durationMs: number,
  impacts: GuestImpacts | undefined,
  ending: AbortSignal,
): Promise<void> {
  if (impacts === undefined) return await pause(durationMs, ending);
  if (type === 'Preempt' || type === 'Terminate') return impacts.end();
  if (type === 'Freeze') return await impacts.freeze(durationMs, ending);
  return await impacts.restart(durationMs, ending);
}

/** All of them, also where one fails. */
async function allOf(promises: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(promises)).find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

const pause = async (durationMs: number, ending: AbortSignal): Promise<void> =>
  await sleep(durationMs, undefined, { signal: ending }).catch(() => {});
