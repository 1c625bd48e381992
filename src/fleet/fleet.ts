import { basename, join, resolve } from 'node:path';
import { StandstillError, show, unexpected } from '../base/errors.js';
import { EventLog, type LogEntry } from '../base/event-log.js';
import { LogStore } from '../base/log-store.js';
import { didYouMean } from '../base/suggest.js';
import { Host } from '../host/host.js';
import type { ProcessVm } from '../process/process-vm.js';
import type { MetadataServer } from '../scheduled-events/metadata-server.js';
import type { Vm } from '../vm/vm.js';
import type { FleetEvent } from './events.js';
import {
  type AvailabilitySetOptions,
  type FleetOptions,
  type FleetProcessVmOptions,
  type FleetVmOptions,
  type ParsedFleetOptions,
  parseFleetOptions,
  parseSetOptions,
  splitVmOptions,
} from './options.js';
import { type AvailabilitySet, type HostPlace, hostPlaces, placeNext, type VmPlace } from './placement.js';
import type { ResumeOptions, RolloutOptions } from './rollout-options.js';
import type { RolloutStep } from './rollout-plan.js';
import { type RolloutReport, rolloutReport } from './rollout-report.js';
import { type PlacedVm, Rollouts } from './rollouts.js';

const ENTRIES_MAX = 1_000_000;
const LOG_FOLDER = 'log';
const HOSTS_FOLDER = 'hosts';

interface FleetSet extends AvailabilitySet {
  /** How many VMs it has had. */
  created: number;
}

/**
 * Hosts that carry VMs. Each host is in one update domain and one fault domain; availability sets spread their VMs over
 * them. Close it: `await using fleet = await Fleet.create()` does.
 */
export class Fleet implements AsyncDisposable {
  /** All that happened on it and its hosts, in its order; in the state folder too, where there is one. */
  readonly log: EventLog<FleetEvent>;
  readonly updateDomains: number;
  readonly faultDomains: number;
  readonly hosts: readonly Host[];
  readonly #places: readonly HostPlace[];
  readonly #store: LogStore | undefined;
  readonly #metadata: MetadataServer | undefined;
  readonly #rollouts: Rollouts;
  readonly #sets = new Map<string, FleetSet>();
  #vms: PlacedVm[] = [];
  #creation: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(
    options: ParsedFleetOptions,
    log: EventLog<FleetEvent>,
    store: LogStore | undefined,
    places: readonly HostPlace[],
    hosts: readonly Host[],
  ) {
    this.updateDomains = options.updateDomains;
    this.faultDomains = options.faultDomains;
    this.log = log;
    this.hosts = hosts;
    this.#store = store;
    this.#metadata = options.host.metadata;
    this.#places = places;
    this.#rollouts = new Rollouts({
      log,
      updateDomains: this.updateDomains,
      hosts: places,
      vms: () => this.#open(),
      hostNamed: (name) => this.#hostNamed(name),
      assertSet: (name) => void this.#setOf(name),
    });
  }

  /**
   * Creates the hosts, without VMs. Rejects with ERR_INVALID_OPTION (a state folder of a fleet of another shape, too),
   * ERR_UNKNOWN_OPTION, ERR_STATE_LOCKED, ERR_STATE_DAMAGED, ERR_STATE_IO.
   */
  static async create(options: FleetOptions = {}): Promise<Fleet> {
    const parsed = parseFleetOptions(options);
    const { updateDomains, faultDomains } = parsed;
    const directory = parsed.directory === undefined ? undefined : resolve(parsed.directory);
    const opened = directory === undefined ? undefined : await LogStore.open(join(directory, LOG_FOLDER), isEntry);
    const log = parsed.log ?? new EventLog<FleetEvent>({ ...opened, entriesMax: ENTRIES_MAX });
    const names = parsed.hosts.map(({ name }) => name);
    const places = hostPlaces(names, updateDomains, faultDomains);
    const hosts: Host[] = [];
    try {
      assertSameShape(opened?.past ?? [], places);
      log.append({ type: 'fleet-opened', processId: process.pid, updateDomains, faultDomains, hosts: places });
      for (const [index, { host: name, updateDomain, faultDomain }] of places.entries()) {
        const own = {
          directory: directory === undefined ? undefined : join(directory, HOSTS_FOLDER, name),
          trustedKeys: parsed.hosts[index]?.trustedKeys ?? parsed.host.trustedKeys,
        };
        hosts.push(await Host.create({ ...parsed.host, ...own, name, updateDomain, faultDomain, log: log.branch() }));
      }
      return new Fleet(parsed, log, opened?.storage, places, hosts);
    } catch (error) {
      for (const host of hosts) await host.close();
      await opened?.storage.close();
      throw error;
    }
  }

  /** Throws ERR_INVALID_OPTION (a name that is taken and more domains than the fleet has, too), ERR_UNKNOWN_OPTION, ERR_HOST_CLOSED. */
  createAvailabilitySet(options: AvailabilitySetOptions): AvailabilitySet {
    this.#assertOpen();
    const set = parseSetOptions(options, this);
    if (this.#sets.has(set.name)) {
      throw unexpected('ERR_INVALID_OPTION', 'a name that no set has', "'name' of an availability set", set.name);
    }
    this.#sets.set(set.name, { ...set, created: 0 });
    this.log.append({ type: 'set-created', ...set });
    return set;
  }

  /**
   * Creates a VM in state 'created' on the host that the placement rules name: the same calls in the same order lead to
   * the same placement. Its name is unique in the fleet; by default '<set>-<number>' from 0 on, or its program's and a
   * number. VMs are created one after the other. Rejects as `host.createVm` does, and with ERR_INVALID_OPTION for a set
   * that is not there.
   */
  async createVm(options: FleetVmOptions): Promise<Vm> {
    const { vm, availabilitySet } = splitVmOptions(options);
    return await this.#place({ name: vm.name, program: vm.program, availabilitySet }, (host, name) =>
      host.createVm({ ...vm, name }),
    );
  }

  /**
   * Creates a VM whose guest is a real program, placed and named as others are. Rejects as `host.createProcessVm` does, and
   * with ERR_INVALID_OPTION for a set that is not there.
   */
  async createProcessVm(options: FleetProcessVmOptions): Promise<ProcessVm> {
    const { vm, availabilitySet } = splitVmOptions(options);
    const program = typeof vm.command === 'string' ? basename(vm.command) : 'guest';
    return await this.#place({ name: vm.name, program, availabilitySet }, (host, name) =>
      host.createProcessVm({ ...vm, name }),
    );
  }

  /** In the order of creation. */
  get availabilitySets(): readonly AvailabilitySet[] {
    return [...this.#sets.values()].map(({ created: _, ...set }) => set);
  }

  /** Where each VM that is not closed is, in the order of creation. */
  get placement(): readonly VmPlace[] {
    return this.#open().map(({ place }) => place);
  }

  /** Where each host is. */
  get hostPlaces(): readonly HostPlace[] {
    return this.#places;
  }

  /**
   * The update domains that a rollout with these options would take, in its order, each with its hosts. Nothing is done.
   * Throws ERR_INVALID_OPTION as `rollout` does.
   */
  planSteps(options: Pick<RolloutOptions, 'availabilitySets' | 'order'> = {}): readonly RolloutStep[] {
    return this.#rollouts.planSteps(options);
  }

  /** The VMs that are not closed, in the order of creation. */
  get vms(): readonly Vm[] {
    return this.#open().map(({ vm }) => vm);
  }

  /** Throws ERR_INVALID_OPTION, with the nearest names, where there is no VM of that name. */
  vm(name: string): Vm {
    const found = this.#open().find(({ place }) => place.vm === name);
    if (found !== undefined) return found.vm;
    throw unknownName(
      'a VM of this fleet',
      name,
      this.placement.map(({ vm }) => vm),
    );
  }

  /**
   * Patches hosts, one update domain after the other: the next begins once the hosts of the last are done and their VMs
   * well. What goes wrong on a host is in the report, and the policy says what follows. It rejects, before anything is
   * done, with ERR_INVALID_OPTION (an order that names an unknown or repeated domain, sets without a VM, options of a
   * patch that are no JSON, a rollback of modules without its patches, too), ERR_UNKNOWN_OPTION, ERR_PATCH_NOT_FOUND,
   * ERR_ROLLOUT_ACTIVE, ERR_HOST_CLOSED; and with ERR_STATE_IO where the state folder can no longer be written, once the
   * hosts under way are done.
   */
  async rollout(options: RolloutOptions): Promise<RolloutReport> {
    this.#assertOpen();
    return await this.#rollouts.start(options);
  }

  /**
   * Goes on with a rollout that has stopped, or whose process was killed, from where it was. Rejects as `rollout` does,
   * and with ERR_ROLLOUT_NOT_FOUND where none has stopped.
   */
  async resumeRollout(options: ResumeOptions = {}): Promise<RolloutReport> {
    this.#assertOpen();
    return await this.#rollouts.resume(options);
  }

  /**
   * Stops the rollout under way, whoever began it: no further host is begun, and it resolves once those under way are
   * done. The rollout can then be resumed or abandoned. False where there is none.
   */
  async stopRollout(): Promise<boolean> {
    return await this.#rollouts.stop('The rollout was stopped');
  }

  /** Gives up a rollout that has stopped: hosts stay as they are. ERR_ROLLOUT_NOT_FOUND, ERR_ROLLOUT_ACTIVE, ERR_HOST_CLOSED. */
  async abandonRollout(): Promise<void> {
    this.#assertOpen();
    await this.#rollouts.abandon();
  }

  /** The report of the last rollout, one under way or of a former process too; null where there was none. */
  rolloutReport(): RolloutReport | null {
    return rolloutReport(this.log.entries) ?? null;
  }

  /**
   * Stops a rollout, once the hosts under way are done, and closes the hosts with their VMs and the state folder.
   * Idempotent.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#rollouts.stop('The fleet was closed during the rollout');
    await this.#creation;
    for (const host of this.hosts) await host.close();
    this.log.append({ type: 'fleet-closed' });
    await this.#store?.close();
  }

  /** Like `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** One VM after the other, so that each finds the others where they are. */
  async #place<Placed extends Vm>(
    wanted: { name: string | undefined; program: string; availabilitySet: string | undefined },
    create: (host: Host, name: string) => Promise<Placed>,
  ): Promise<Placed> {
    this.#assertOpen();
    const set = wanted.availabilitySet === undefined ? undefined : this.#setOf(wanted.availabilitySet);
    const created = this.#creation.then(async () => {
      this.#assertOpen();
      const name = this.#nameOf(wanted.name, wanted.program, set);
      const place = placeNext(this.#places, this.placement, set, set?.created ?? 0);
      if (set !== undefined) this.#tellMembers(set, name);
      const vm = await create(this.#hostNamed(place.host), name);
      if (set !== undefined) set.created += 1;
      const own: VmPlace = { vm: name, availabilitySet: set?.name ?? null, ...place };
      this.#vms.push({ place: own, vm });
      this.log.append({ type: 'vm-placed', ...own });
      return vm;
    });
    this.#creation = created.catch(() => {});
    return await created;
  }

  #open(): PlacedVm[] {
    this.#vms = this.#vms.filter(({ vm }) => vm.state !== 'closed');
    return this.#vms;
  }

  /** The VMs of a set see each other's events. */
  #tellMembers(set: FleetSet, joining: string): void {
    const members = this.placement.filter(({ availabilitySet }) => availabilitySet === set.name);
    this.#metadata?.defineSet(set.name, [...members.map(({ vm }) => vm), joining]);
  }

  #setOf(name: string): FleetSet {
    const set = this.#sets.get(name);
    if (set !== undefined) return set;
    throw unknownName('an availability set of this fleet', name, [...this.#sets.keys()]);
  }

  #hostNamed(name: string): Host {
    const host = this.hosts.find((each) => each.name === name);
    if (host === undefined) throw new Error('every place of a fleet has a host');
    return host;
  }

  #nameOf(given: string | undefined, program: string, set: FleetSet | undefined): string {
    const taken = new Set(this.placement.map(({ vm }) => vm));
    if (given !== undefined) {
      if (!taken.has(given)) return given;
      const message = `Expected a name that no VM of this fleet has but received ${show(given)}`;
      throw new StandstillError('ERR_INVALID_OPTION', message);
    }
    const prefix = set?.name ?? program;
    let number = set?.created ?? 0;
    while (taken.has(`${prefix}-${number}`)) number += 1;
    return `${prefix}-${number}`;
  }

  #assertOpen(): void {
    if (this.#closed) throw new StandstillError('ERR_HOST_CLOSED', 'Expected an open fleet but it is closed');
  }
}

const unknownName = (expected: string, name: string, known: readonly string[]): StandstillError =>
  new StandstillError(
    'ERR_INVALID_OPTION',
    `Expected the name of ${expected} but received ${show(name)}${didYouMean(name, known)}`,
  );

const isEntry = (value: unknown): value is LogEntry<FleetEvent> =>
  typeof value === 'object' &&
  value !== null &&
  'type' in value &&
  typeof value.type === 'string' &&
  'seq' in value &&
  typeof value.seq === 'number' &&
  'atNs' in value &&
  typeof value.atNs === 'number' &&
  'wallTimeMs' in value &&
  typeof value.wallTimeMs === 'number';

/** Components and a rollout's state belong to hosts by name, so a folder is of one shape for ever. */
function assertSameShape(past: readonly LogEntry<FleetEvent>[], places: readonly HostPlace[]): void {
  const opened = past.find((entry) => entry.type === 'fleet-opened');
  if (opened === undefined || JSON.stringify(opened.hosts) === JSON.stringify(places)) return;
  const had = `${opened.hosts.length} hosts over ${opened.updateDomains} update and ${opened.faultDomains} fault domains`;
  throw new StandstillError(
    'ERR_INVALID_OPTION',
    `Expected the fleet that the state folder was made for, ${had}, but received another`,
  );
}
