// What the page knows, built from the server's events alone.
import { Rollout } from './rollout.js';
import { VmTrack } from './vm-track.js';
import { isListed } from './words.js';

const LOG_MAX = 120;
const BLACKOUTS_MAX = 20_000;
const SERIES_MAX = 600;

/** What a VM is held by in each phase of a maintenance; in the other phases it runs. */
const HELD_IN = {
  freeze: 'halt',
  'digest-at-halt': 'digest',
  patch: 'patch',
  'digest-at-release': 'digest',
  'shut-down': 'restart',
  restart: 'restart',
};
const PHASE_KINDS = new Set(Object.values(HELD_IN));

export class Model {
  /** The server's incarnation; undefined before there was one. */
  incarnation;

  constructor() {
    this.#reset({});
  }

  #reset(hello) {
    this.hello = { kind: 'host', hosts: [], patches: [], canRaiseEvents: false, version: '', ...hello };
    this.vms = new Map();
    this.events = new Map();
    /** The newest of each host. */
    this.maintenances = new Map();
    this.rollout = undefined;
    /** { atNs, vm, cause, blackoutNs } */
    this.blackouts = [];
    /** Of the entries that are listed; newest last. */
    this.log = [];
    /** Of all VMs together: [seconds], [steps a second], [pages a second]. */
    this.series = [[], [], []];
    this.offsetNs = undefined;
    /** The past has been told. */
    this.isLive = false;
  }

  /** The server's clock now, in nanoseconds of its log. */
  get nowNs() {
    return this.offsetNs === undefined ? 0 : performance.now() * 1e6 + this.offsetNs;
  }

  /** Returns the entry where it is news, and not of the past. */
  receive(name, data) {
    if (name === 'hello') this.#begin(data);
    if (name === 'picture') this.#settle(data);
    if (name === 'sample') this.#count(data);
    if (name !== 'entry') return undefined;
    if (isListed(data)) this.log.push(data);
    if (this.log.length > LOG_MAX) this.log.shift();
    HANDLERS[data.type]?.(this, data);
    this.rollout = Rollout.after(this.rollout, data);
    return this.isLive ? data : undefined;
  }

  #begin({ resumed, ...hello }) {
    if (!resumed) this.#reset(hello);
    this.incarnation = hello.incarnation;
  }

  /** Behind all entries of the past: what is so now. */
  #settle({ atNs, vms, events, hostsUnderMaintenance }) {
    this.#tick(atNs);
    const present = new Set(vms.map(({ name }) => name));
    for (const name of this.vms.keys()) if (!present.has(name)) this.vms.delete(name);
    for (const vm of vms) {
      const track = this.vm(vm.name, vm);
      Object.assign(track, vm);
      if (vm.state === 'paused' && track.held === undefined) track.open('paused', atNs);
    }
    this.events = new Map(events.map((event) => [event.id, event]));
    for (const [host, maintenance] of this.maintenances) {
      if (!hostsUnderMaintenance.includes(host) && maintenance.endedAtNs === null) this.maintenances.delete(host);
    }
    this.isLive = true;
  }

  #count({ atNs, vms }) {
    this.#tick(atNs);
    for (const [name, counters] of Object.entries(vms)) this.vms.get(name)?.count(counters, atNs);
    const total = (rate) => [...this.vms.values()].reduce((sum, { rates }) => sum + (rates[rate] ?? 0), 0);
    const [seconds, steps, pages] = this.series;
    seconds.push(atNs / 1e9);
    steps.push(total('steps'));
    pages.push(total('dirtyPages'));
    if (seconds.length > SERIES_MAX) for (const values of this.series) values.shift();
  }

  #tick(atNs) {
    const offsetNs = atNs - performance.now() * 1e6;
    // What came with the least delay is nearest to the truth.
    this.offsetNs = Math.max(this.offsetNs ?? offsetNs, offsetNs);
  }

  vm(name, fields) {
    const track = this.vms.get(name) ?? new VmTrack({ name, host: '', ...fields });
    this.vms.set(name, track);
    return track;
  }

  /** Those that are not held by their user. */
  affected(names) {
    return names.map((name) => this.vm(name)).filter(({ held }) => held !== 'paused' && held !== 'faulted');
  }
}

const closePhases = (model, { vms }, atNs) => {
  for (const name of vms) model.vm(name).close(atNs, PHASE_KINDS);
};

const endMaintenance = (model, { host, atNs, ...end }) => {
  const maintenance = model.maintenances.get(host);
  if (maintenance === undefined) return;
  closePhases(model, maintenance, atNs);
  Object.assign(maintenance, { endedAtNs: atNs, phase: null, end });
};

const showEvent =
  (kind) =>
  (model, { event, atNs }) => {
    model.events.set(event.id, event);
    for (const name of event.resources) model.vms.get(name)?.mark(kind, atNs);
  };

const HANDLERS = {
  'vm-created': (model, { vm, host, program, ramBytes }) => {
    model.vms.delete(vm);
    model.vm(vm, { host, program, ramBytes });
  },
  'vm-placed': (model, { vm, availabilitySet }) => Object.assign(model.vm(vm), { availabilitySet }),
  'vm-started': (model, { vm, atNs }) => Object.assign(model.vm(vm), { startedAtNs: atNs, state: 'running' }),
  'vm-paused': (model, { vm, atNs }) => {
    const track = model.vm(vm);
    track.open('paused', atNs);
    track.state = 'paused';
  },
  'vm-resumed': (model, { vm, atNs }) => {
    const track = model.vm(vm);
    track.close(atNs, new Set(['paused']));
    track.state = 'running';
  },
  'vm-faulted': (model, { vm, atNs }) => {
    const track = model.vm(vm);
    track.open('faulted', atNs);
    track.state = 'faulted';
  },
  'vm-closed': (model, { vm, atNs }) => {
    const track = model.vm(vm);
    track.close(atNs);
    Object.assign(track, { closedAtNs: atNs, state: 'closed', rates: {} });
  },
  'freeze-begin': (model, { vms, atNs }) => {
    for (const track of model.affected(vms)) track.open('frozen', atNs);
  },
  'impact-end': (model, entry) => {
    const { vm, cause, haltedAtNs, resumedAtNs, atNs } = entry;
    model.vm(vm).impactEnded(entry);
    if (cause === 'inspection') return;
    model.blackouts.push({ atNs, vm, cause, blackoutNs: resumedAtNs - haltedAtNs });
    if (model.blackouts.length > BLACKOUTS_MAX) model.blackouts.splice(0, BLACKOUTS_MAX / 4);
  },
  'maintenance-begin': (model, { host, vms, budgetMs, atNs }) => {
    const maintenance = {
      host,
      vms,
      budgetMs,
      beganAtNs: atNs,
      endedAtNs: null,
      phase: 'plan',
      phases: [],
      patches: [],
    };
    model.maintenances.set(host, maintenance);
  },
  'maintenance-phase': (model, { host, phase, atNs }) => {
    const maintenance = model.maintenances.get(host);
    if (maintenance === undefined) return;
    closePhases(model, maintenance, atNs);
    maintenance.phase = phase;
    maintenance.phases.push({ phase, atNs });
    if (HELD_IN[phase] === undefined) return;
    for (const track of model.affected(maintenance.vms)) track.open(HELD_IN[phase], atNs);
  },
  'patch-end': (model, { host, patch, ok }) => model.maintenances.get(host)?.patches.push({ patch, ok }),
  'maintenance-end': endMaintenance,
  'maintenance-rejected': endMaintenance,
  'event-scheduled': showEvent('scheduled'),
  'event-started': showEvent('started'),
  'event-removed': (model, { eventId }) => model.events.delete(eventId),
};
