import { monotonicNs } from '../base/clock.js';
import type { ScheduledEvent } from '../scheduled-events/event.js';
import type { MetadataServer } from '../scheduled-events/metadata-server.js';
import type { Subject } from './subject.js';

/** A VM as the page lists it. */
export interface VmPicture {
  readonly name: string;
  readonly host: string;
  readonly availabilitySet: string | null;
  readonly program: string;
  /** 0 for a process. */
  readonly ramBytes: number;
  readonly state: string;
}

/** What is so at one moment, behind all entries of the log so far. */
export interface Picture {
  readonly atNs: number;
  readonly wallTimeMs: number;
  readonly vms: readonly VmPicture[];
  /** The present Scheduled Events that hit VMs of the subject. */
  readonly events: readonly ScheduledEvent[];
  readonly hostsUnderMaintenance: readonly string[];
}

export function pictureOf(subject: Subject, metadata: MetadataServer | undefined): Picture {
  const vms = subject.vms().map(({ vm, host, availabilitySet }) => ({
    name: vm.name,
    host: host.name,
    availabilitySet,
    program: vm.program,
    ramBytes: vm.ramBytes,
    state: vm.state,
  }));
  const names = new Set(vms.map(({ name }) => name));
  const events = metadata?.state().events ?? [];
  return {
    atNs: subject.log.sinceBeginNs(monotonicNs()),
    wallTimeMs: Date.now(),
    vms,
    events: events
      .filter(({ resources }) => resources.some((name) => names.has(name)))
      .map(({ acknowledgements: _, ...event }) => event),
    hostsUnderMaintenance: subject.hosts.filter((host) => host.isUnderMaintenance).map(({ name }) => name),
  };
}
