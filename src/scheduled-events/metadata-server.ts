import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { StandstillError, unexpected } from '../base/errors.js';
import { EventLog } from '../base/event-log.js';
import { parseOptions } from '../base/options.js';
import { parseEndpoint } from './addresses.js';
import { Announcement } from './announcement.js';
import { systemClock } from './clock.js';
import { EMERGENCY_DESCRIPTION, type EventType } from './event.js';
import { live } from './event-life.js';
import type { MetadataEvent } from './events.js';
import { FaultPlaybook, parsePlaybook, playbookSchema } from './faults.js';
import type { GuestImpacts } from './impacts.js';
import { type InstanceOptions, instanceSchema, instanceTree } from './instance.js';
import { GuestListeners } from './listeners.js';
import { type MetadataOptions, metadataSchema, type ParsedMetadataOptions } from './options.js';
import {
  failureSchema,
  type HardwareFailureOptions,
  type ParsedRaise,
  type RaisedEvent,
  type RaiseOptions,
  raiseSchema,
} from './raise.js';
import type { MetadataState } from './state.js';
import { EventStore } from './store.js';
import { Timing } from './timing.js';
import { NEWEST_EVENT_API_VERSION } from './versions.js';

/** An impact that somebody else brings about, to be told to those that it hits. */
export interface AnnouncedEvent {
  readonly type: EventType;
  /** Names of the VMs that it hits. */
  readonly vms: readonly string[];
  /** How long it is expected to last; -1: unknown. */
  readonly durationSeconds: number;
  /** Default: the cloud's words. */
  readonly description?: string | undefined;
}

/** A VM that joins the service. */
export interface GuestOptions {
  /** As in `Resources` and `compute.name`. No other VM has it. */
  name: string;
  instance?: InstanceOptions | undefined;
  /** What events do to it. Default: nothing. */
  impacts?: GuestImpacts | undefined;
}

interface Member {
  readonly impacts: GuestImpacts | undefined;
  readonly faults: FaultPlaybook;
}

/**
 * The metadata service of any number of VMs, each with an HTTP server of its own that answers as the cloud's does:
 * Scheduled Events, instance metadata, versions. docs/SCHEDULED_EVENTS.md tells the contract. A host joins its VMs to it
 * (`Host.create({ metadata })`) and announces its maintenances; events can be raised without one. It keeps the process
 * alive while a VM has joined: close it.
 */
export class MetadataServer implements AsyncDisposable {
  /** What happened, in its order: events, acknowledgements, who was enabled when. */
  readonly log: EventLog<MetadataEvent>;
  readonly #timing: Timing;
  readonly #store: EventStore;
  readonly #listeners: GuestListeners;
  readonly #members = new Map<string, Member>();
  readonly #lives = new Set<Promise<unknown>>();
  readonly #ending = new AbortController();

  /** Throws ERR_INVALID_OPTION and ERR_UNKNOWN_OPTION. It listens nowhere before a VM joins. */
  constructor(options: MetadataOptions = {}) {
    const parsed: ParsedMetadataOptions = parseOptions(metadataSchema, options, 'a metadata server');
    this.#timing = new Timing(parsed);
    this.log = parsed.log ?? new EventLog();
    this.#store = new EventStore(systemClock, this.#timing, this.log);
    this.#listeners = new GuestListeners({
      first: parseEndpoint(parsed.listen, "'listen' of a metadata server"),
      spread: parsed.spread,
      allowPublic: parsed.allowPublic,
      limits: parsed,
      logger: parsed.logger,
    });
    for (const [set, vms] of Object.entries(parsed.sets)) this.#store.defineSet(set, vms);
  }

  /**
   * Gives a VM its server and resolves with its URL, as 'http://127.0.0.1:8080'. Rejects with ERR_INVALID_OPTION (a name
   * that is taken, too), ERR_UNKNOWN_OPTION, ERR_ADDRESS_PUBLIC, ERR_LISTEN_FAILED, ERR_METADATA_CLOSED.
   */
  async addVm({ name, instance = {}, impacts }: GuestOptions): Promise<string> {
    this.#assertOpen();
    const fields = parseOptions(instanceSchema, instance, `the instance metadata of '${name}'`);
    const vmId = fields.vmId === '' ? randomUUID() : fields.vmId;
    const faults = new FaultPlaybook();
    this.#store.addVm(name);
    this.#members.set(name, { impacts, faults });
    try {
      const url = await this.#listeners.open(name, {
        instance: instanceTree(name, { ...fields, vmId }),
        faults,
        asked: (request) => this.#store.asked(name, { ...request, atMs: systemClock.nowMs() }),
        document: (version) => this.#store.document(name, version),
        acknowledge: (ids) => this.#store.acknowledge(name, ids),
        ending: this.#ending.signal,
      });
      this.#assertOpen();
      return url;
    } catch (error) {
      await this.removeVm(name);
      throw error;
    }
  }

  /**
   * Has a VM's server take connections at a socket that listens, by its descriptor, too; it is closed with the server. Rejects
   * with ERR_LISTEN_FAILED.
   */
  async serveAt(name: string, socketFd: number): Promise<void> {
    await this.#listeners.openDoor(name, socketFd);
  }

  /** Closes a VM's server. Its events go on. */
  async removeVm(name: string): Promise<void> {
    if (!this.#members.delete(name)) return;
    this.#store.removeVm(name);
    await this.#listeners.close(name);
  }

  /** The URL of a VM's server; undefined where it has none. */
  urlOf(name: string): string | undefined {
    return this.#listeners.urlOf(name);
  }

  /** The VMs of an availability set, joined or yet to join: each sees the events of all. A VM is in one set at most. */
  defineSet(set: string, vms: readonly string[]): void {
    this.#store.defineSet(set, vms);
  }

  /** Schedules the events of an impact, one for each availability set and each VM without one, with the usual notice. */
  announce({ type, vms, durationSeconds, description }: AnnouncedEvent): Announcement {
    this.#assertOpen();
    const events = this.#store.grouped(vms).map((resources) => ({
      type,
      resources,
      durationSeconds,
      description,
      source: 'Platform' as const,
    }));
    return new Announcement(this.#store, events, this.#timing.noticeMs(type), (remove) => {
      this.#track(this.#pause(this.#timing.settleMs).then(remove));
    });
  }

  /**
   * Raises events, one for each availability set and each VM without one, and makes their impact when they are due.
   * Throws ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION, ERR_METADATA_CLOSED.
   */
  raise(options: RaiseOptions): RaisedEvent[] {
    const parsed = parseOptions(raiseSchema, options, 'an event');
    return this.#raise(
      parsed,
      parsed.noticeMs === undefined ? this.#timing.noticeMs(parsed.type) : this.#timing.scaled(parsed.noticeMs),
    );
  }

  /** A failure of the hardware: a Reboot that is Started at once. Throws as `raise` does. */
  failHardware(options: HardwareFailureOptions = {}): RaisedEvent[] {
    const given = parseOptions(failureSchema, options, 'a hardware failure');
    const reboot = { ...given, type: 'Reboot', source: 'Platform', description: EMERGENCY_DESCRIPTION };
    return this.#raise(parseOptions(raiseSchema, reboot, 'a hardware failure'), undefined);
  }

  /** Withdraws an event that has not started. Throws ERR_EVENT_UNKNOWN, ERR_EVENT_STARTED. */
  cancel(eventId: string): void {
    const event = this.#store.find(eventId);
    if (event === undefined)
      throw unexpected('ERR_EVENT_UNKNOWN', 'the EventId of a present event', 'a cancellation', eventId);
    if (event.status === 'Started') {
      throw new StandstillError('ERR_EVENT_STARTED', `Expected an event that has not started but ${event.id} has`);
    }
    this.#store.remove(event.id, 'cancelled');
  }

  /** Withdraws those events that have not started yet; the others go on. */
  withdraw(events: readonly Pick<RaisedEvent, 'id'>[]): void {
    for (const { id } of events) if (this.#store.find(id)?.status === 'Scheduled') this.cancel(id);
  }

  /** Acknowledges an event in the name of the first VM that it hits, so that it starts now. Throws ERR_EVENT_UNKNOWN. */
  acknowledge(eventId: string): void {
    const event = this.#store.find(eventId);
    const [vm] = event?.resources ?? [];
    if (event !== undefined && vm !== undefined && this.#store.acknowledge(vm, [event.id])) return;
    throw unexpected('ERR_EVENT_UNKNOWN', 'the EventId of a present event', 'an acknowledgement', eventId);
  }

  /**
   * What goes wrong with the next replies to a VM's requests for Scheduled Events, one step a reply, as '500 x2',
   * 'delay 5s', '404', 'truncated', 'malformed', 'reset', 'ok'; then all is well. It takes the place of an earlier one.
   * Throws ERR_INVALID_OPTION.
   */
  playFaults(vm: string, steps: readonly (string | number)[]): void {
    const what = `the fault playbook of '${vm}'`;
    const parsed = parsePlaybook(parseOptions(playbookSchema, steps, what), what);
    const scaled = parsed.map((step) =>
      step.kind === 'delay' ? { ...step, delayMs: this.#timing.scaled(step.delayMs) } : step,
    );
    this.#member(vm).faults.play(scaled);
  }

  /** Everything that the service knows. */
  state(): MetadataState {
    const nowMs = systemClock.nowMs();
    return {
      nowMs,
      timeScale: this.#timing.timeScale,
      vms: [...this.#members].map(([name, { faults }]) => {
        const view = this.#store.view(name);
        return {
          name,
          url: this.#listeners.urlOf(name) ?? '',
          set: this.#store.setOf(name),
          incarnation: view.incarnation,
          enabledAtMs: view.enabledAtMs(nowMs),
          requests: view.requests,
          recentRequests: view.recentRequests,
          faultsRemaining: faults.remaining,
          document: JSON.parse(this.#store.document(name, NEWEST_EVENT_API_VERSION).body),
        };
      }),
      events: this.#store.events.map(({ event, acknowledgements }) => ({ ...event, acknowledgements })),
      log: this.log.entries,
    };
  }

  /** Closes the servers and their connections; events that have not begun do not. Idempotent. */
  async close(): Promise<void> {
    this.#ending.abort();
    this.#store[Symbol.dispose]();
    await Promise.all([this.#listeners.closeAll(), ...this.#lives]);
    this.#members.clear();
  }

  /** Like `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #raise(given: ParsedRaise, noticeMs: number | undefined): RaisedEvent[] {
    this.#assertOpen();
    const { type, source, description, second } = given;
    const vms = given.vms ?? this.#store.vms;
    for (const vm of vms) this.#member(vm);
    const durationMs = this.#timing.scaled(given.durationMs);
    const plan = {
      durationMs,
      settleMs: given.settleMs === undefined ? this.#timing.settleMs : this.#timing.scaled(given.settleMs),
      second: second && {
        afterMs: this.#timing.scaled(second.afterMs),
        durationMs: this.#timing.scaled(second.durationMs),
      },
    };
    const around = {
      store: this.#store,
      log: this.log,
      impactsOf: (vm: string) => this.#members.get(vm)?.impacts,
      ending: this.#ending.signal,
    };
    return this.#store.grouped(vms).map((resources) => {
      const durationSeconds = given.isDurationKnown ? Math.ceil(durationMs / 1000) : -1;
      const event = this.#store.schedule({ type, resources, durationSeconds, source, description }, noticeMs);
      const done = live(event, plan, around);
      this.#track(done);
      return { id: event.id, type, vms: resources, done };
    });
  }

  #track(life: Promise<unknown>): void {
    this.#lives.add(life);
    life.finally(() => this.#lives.delete(life));
  }

  #pause(durationMs: number): Promise<void> {
    return sleep(durationMs, undefined, { signal: this.#ending.signal }).catch(() => {});
  }

  #member(vm: string): Member {
    this.#store.view(vm);
    return this.#members.get(vm) as Member;
  }

  #assertOpen(): void {
    if (!this.#ending.signal.aborted) return;
    throw new StandstillError('ERR_METADATA_CLOSED', 'Expected an open metadata server but it is closed');
  }
}
