import { StandstillError, show } from '../base/errors.js';
import type { LogEntry } from '../base/event-log.js';
import { didYouMean } from '../base/suggest.js';
import type { FleetEvent } from '../fleet/events.js';
import { Fleet } from '../fleet/fleet.js';
import { Host } from '../host/host.js';
import type { Vm } from '../vm/vm.js';

/** An event log that is read only, of a host or of a fleet. */
export interface ReadableLog {
  readonly lastSeq: number;
  after(seq: number, countMax: number): LogEntry<FleetEvent>[];
  subscribe(listener: (entry: LogEntry<FleetEvent>) => void): Disposable;
  sinceBeginNs(atNs: bigint): number;
}

export interface PlacedVm {
  readonly vm: Vm;
  readonly host: Host;
  readonly availabilitySet: string | null;
}

/** What a dashboard shows and drives: a host alone, or a fleet. */
export class Subject {
  readonly log: ReadableLog;
  readonly hosts: readonly Host[];
  /** Undefined for a host alone. */
  readonly fleet: Fleet | undefined;

  constructor(subject: Host | Fleet) {
    this.log = subject.log;
    this.fleet = subject instanceof Fleet ? subject : undefined;
    this.hosts = subject instanceof Host ? [subject] : subject.hosts;
  }

  /** Those that are not closed, host by host. */
  vms(): PlacedVm[] {
    const setOf = new Map(this.fleet?.placement.map(({ vm, availabilitySet }) => [vm, availabilitySet]));
    return this.hosts.flatMap((host) =>
      host.vms.map((vm) => ({ vm, host, availabilitySet: setOf.get(vm.name) ?? null })),
    );
  }

  /** Throws ERR_INVALID_OPTION, with the nearest names. */
  vmNamed(name: string): PlacedVm {
    const vms = this.vms();
    return (
      vms.find(({ vm }) => vm.name === name) ??
      unknown(
        'a VM',
        name,
        vms.map(({ vm }) => vm.name),
      )
    );
  }

  /** Throws ERR_INVALID_OPTION, with the nearest names. */
  hostNamed(name: string): Host {
    return (
      this.hosts.find((host) => host.name === name) ??
      unknown(
        'a host',
        name,
        this.hosts.map((host) => host.name),
      )
    );
  }
}

function unknown(what: string, name: string, known: readonly string[]): never {
  const message = `Expected the name of ${what} but received ${show(name)}${didYouMean(name, known)}`;
  throw new StandstillError('ERR_INVALID_OPTION', message);
}
