import { randomUUID } from 'node:crypto';
import { StandstillError, unexpected } from '../base/errors.js';
import type { EventLog } from '../base/event-log.js';
import { didYouMean } from '../base/suggest.js';
import type { EventClock } from './clock.js';
import { descriptionOf, type EventSource, type EventType, type ScheduledEvent } from './event.js';
import type { MetadataEvent, RemovalReason } from './events.js';
import { type GuestRequest, GuestView, type RenderedDocument } from './guest-view.js';
import type { Timing } from './timing.js';
import type { EventApiVersion } from './versions.js';

/** Why an event may start. */
export type Due = 'acknowledged' | 'not-before';

export interface NewEvent {
  readonly type: EventType;
  readonly resources: readonly string[];
  readonly durationSeconds: number;
  readonly source: EventSource;
  /** Default: the cloud's words for its type and source. */
  readonly description?: string | undefined;
}

/** A VM's acknowledgement of an event; the first one counts for all. */
export interface Acknowledgement {
  readonly vm: string;
  readonly atMs: number;
}

interface Entry {
  event: ScheduledEvent;
  readonly acknowledgements: Acknowledgement[];
  readonly due: Promise<Due | 'removed'>;
  readonly settleDue: (due: Due | 'removed') => void;
  notice: Disposable | undefined;
}

/**
 * The events and the VMs that see them. Scheduled → Started → removed, or Scheduled → removed. What a guest sees changes
 * only here, and each change raises the incarnation of those who see it by one.
 */
export class EventStore {
  readonly #clock: EventClock;
  readonly #timing: Timing;
  readonly #log: EventLog<MetadataEvent>;
  readonly #views = new Map<string, GuestView>();
  readonly #setOf = new Map<string, string>();
  readonly #entries = new Map<string, Entry>();

  constructor(clock: EventClock, timing: Timing, log: EventLog<MetadataEvent>) {
    this.#clock = clock;
    this.#timing = timing;
    this.#log = log;
  }

  addVm(name: string): void {
    if (this.#views.has(name)) throw unexpected('ERR_INVALID_OPTION', 'a name that no other VM has', 'a VM', name);
    this.#views.set(name, new GuestView(name, this.#timing));
  }

  removeVm(name: string): void {
    this.#views.delete(name);
  }

  get vms(): string[] {
    return [...this.#views.keys()];
  }

  view(vm: string): GuestView {
    const view = this.#views.get(vm);
    if (view !== undefined) return view;
    const message = `Expected the name of a VM but received '${vm}'${didYouMean(vm, this.vms)}`;
    throw new StandstillError('ERR_INVALID_OPTION', message);
  }

  /** The VMs of an availability set: each sees the events of all. A VM is in one set at most, the one given last. */
  defineSet(set: string, vms: readonly string[]): void {
    const saw = new Map(this.vms.map((vm) => [vm, this.#idsSeenBy(vm)]));
    for (const [vm, other] of this.#setOf) if (other === set) this.#setOf.delete(vm);
    for (const vm of vms) this.#setOf.set(vm, set);
    for (const [vm, ids] of saw) if (this.#idsSeenBy(vm) !== ids) this.view(vm).changed();
  }

  setOf(vm: string): string | undefined {
    return this.#setOf.get(vm);
  }

  /** The names grouped as they are seen: each set's together, each other VM alone. */
  grouped(vms: readonly string[]): string[][] {
    const groups = new Map<string, string[]>();
    for (const vm of vms) {
      const key = this.#scopeOf(vm);
      groups.set(key, [...(groups.get(key) ?? []), vm]);
    }
    return [...groups.values()];
  }

  /** A new event, Scheduled, whose notice begins now; without a notice it is Started at once, as a failure is. */
  schedule(given: NewEvent, noticeMs: number | undefined): ScheduledEvent {
    const { type, resources, durationSeconds, source, description = descriptionOf(type, source) } = given;
    const event: ScheduledEvent = {
      id: randomUUID().toUpperCase(),
      status: noticeMs === undefined ? 'Started' : 'Scheduled',
      type,
      resources: [...resources],
      notBeforeMs: this.#clock.nowMs() + (noticeMs ?? 0),
      description,
      source,
      durationSeconds,
    };
    const entry = newEntry(event);
    this.#entries.set(event.id, entry);
    if (noticeMs !== undefined) {
      entry.notice = this.#clock.after(noticeMs, () => {
        this.#log.append({ type: 'event-notice-passed', eventId: event.id });
        entry.settleDue('not-before');
      });
    }
    this.#seen(event);
    this.#log.append({ type: event.status === 'Scheduled' ? 'event-scheduled' : 'event-started', event });
    return event;
  }

  /** Resolves when the event may start, or was removed before. */
  due(id: string): Promise<Due | 'removed'> {
    return this.#entry(id).due;
  }

  /**
   * A VM approves events that it sees, all or none: false where it does not see one of them. An event that was approved
   * before, or has started, may be approved again.
   */
  acknowledge(vm: string, ids: readonly string[]): boolean {
    const visible = new Set(this.eventsOf(vm).map((event) => event.id));
    const wanted = ids.map((id) => id.toUpperCase());
    if (!wanted.every((id) => visible.has(id))) return false;
    for (const id of wanted) {
      const entry = this.#entry(id);
      if (entry.acknowledgements.some((given) => given.vm === vm)) continue;
      entry.acknowledgements.push({ vm, atMs: this.#clock.nowMs() });
      this.#log.append({ type: 'event-acknowledged', eventId: id, vm });
      entry.notice?.[Symbol.dispose]();
      entry.settleDue('acknowledged');
    }
    return true;
  }

  /** Scheduled → Started; of one that has started, nothing. */
  start(id: string): void {
    const entry = this.#entry(id);
    if (entry.event.status === 'Started') return;
    entry.notice?.[Symbol.dispose]();
    entry.event = { ...entry.event, status: 'Started' };
    this.#seen(entry.event);
    this.#log.append({ type: 'event-started', event: entry.event });
  }

  /** The end of an event; of one that is gone, nothing. */
  remove(id: string, reason: RemovalReason): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    entry.notice?.[Symbol.dispose]();
    this.#entries.delete(id);
    entry.settleDue('removed');
    this.#seen(entry.event);
    this.#log.append({ type: 'event-removed', eventId: id, reason });
  }

  find(id: string): ScheduledEvent | undefined {
    return this.#entries.get(id.toUpperCase())?.event;
  }

  /** All events, in the order of their schedule, with their acknowledgements. */
  get events(): { readonly event: ScheduledEvent; readonly acknowledgements: readonly Acknowledgement[] }[] {
    return [...this.#entries.values()].map(({ event, acknowledgements }) => ({
      event,
      acknowledgements: [...acknowledgements],
    }));
  }

  /** What a VM sees: its own events, and those of its set. */
  eventsOf(vm: string): ScheduledEvent[] {
    return [...this.#entries.values()].map(({ event }) => event).filter((event) => this.#sees(vm, event));
  }

  /** Notes a request of a VM, and returns how long its reply waits for the service to be enabled. */
  asked(vm: string, request: GuestRequest): number {
    const view = this.view(vm);
    const enabled = view.asked(request);
    if (enabled === 'again') this.#log.append({ type: 'service-disabled', vm });
    if (enabled !== undefined) this.#log.append({ type: 'service-enabled', vm });
    return view.remainingDelayMs(request.atMs);
  }

  document(vm: string, version: EventApiVersion): RenderedDocument {
    return this.view(vm).document(version, () => this.eventsOf(vm));
  }

  /** Takes the timers back; nothing is due any more. */
  [Symbol.dispose](): void {
    for (const entry of this.#entries.values()) {
      entry.notice?.[Symbol.dispose]();
      entry.settleDue('removed');
    }
  }

  #sees(vm: string, event: ScheduledEvent): boolean {
    return event.resources.some((resource) => this.#scopeOf(resource) === this.#scopeOf(vm));
  }

  #idsSeenBy(vm: string): string {
    return this.eventsOf(vm)
      .map((event) => event.id)
      .join();
  }

  #scopeOf(vm: string): string {
    const set = this.#setOf.get(vm);
    return set === undefined ? `vm ${vm}` : `set ${set}`;
  }

  #seen(event: ScheduledEvent): void {
    for (const view of this.#views.values()) if (this.#sees(view.name, event)) view.changed();
  }

  #entry(id: string): Entry {
    const entry = this.#entries.get(id);
    if (entry !== undefined) return entry;
    throw unexpected('ERR_EVENT_UNKNOWN', 'the EventId of a present event', 'an event', id);
  }
}

function newEntry(event: ScheduledEvent): Entry {
  let settleDue: Entry['settleDue'] = () => {};
  const due = new Promise<Due | 'removed'>((resolve) => {
    settleDue = resolve;
  });
  return { event, acknowledgements: [], due, settleDue, notice: undefined };
}
