import { z } from 'zod';
import { StandstillError, unexpected } from '../base/errors.js';
import { EventLog } from '../base/event-log.js';
import { parseOptions, wholeNumber } from '../base/options.js';
import { type HostOptions, nameSchema } from '../host/options.js';
import type { ProcessVmOptions } from '../process/options.js';
import type { VmOptions } from '../vm/options.js';
import type { FleetEvent } from './events.js';
import type { AvailabilitySet } from './placement.js';

export const UPDATE_DOMAINS_MAX = 20;
const UPDATE_DOMAINS_DEFAULT = 5;
export const FAULT_DOMAINS_MAX = 3;
const FAULT_DOMAINS_DEFAULT = 2;
const HOSTS_DEFAULT = 5;
export const HOSTS_MAX = 1000;

const domainFields = {
  updateDomains: wholeNumber(1, UPDATE_DOMAINS_MAX).optional(),
  faultDomains: wholeNumber(1, FAULT_DOMAINS_MAX).optional(),
};

const fleetHostSchema = z.strictObject({ name: nameSchema, trustedKeys: z.array(z.string('a key')).optional() });

const fleetSchema = z.strictObject({
  ...domainFields,
  hosts: z
    .union(
      [wholeNumber(1, HOSTS_MAX), z.array(fleetHostSchema).min(1).max(HOSTS_MAX)],
      `a whole number from 1 to ${HOSTS_MAX}, or that many hosts with names`,
    )
    .default(HOSTS_DEFAULT),
  log: z.instanceof(EventLog<FleetEvent>, { error: 'an EventLog' }).optional(),
  directory: z.string('a path').min(1, 'a path').optional(),
  host: z.custom<HostSettings>((value) => typeof value === 'object' && value !== null, 'an object').default({}),
});

const setSchema = z.strictObject({ ...domainFields, name: nameSchema });

/** What the fleet does not decide itself. */
export type HostSettings = Omit<HostOptions, 'name' | 'directory' | 'log' | 'updateDomain' | 'faultDomain'>;

interface DomainCounts {
  /** 1 to 20. */
  updateDomains?: number | undefined;
  /** 1 to 3. */
  faultDomains?: number | undefined;
}

/** One host of a fleet. */
export interface FleetHost {
  /** 1 to 64 characters, unique in the fleet. */
  name: string;
  /** As of `HostOptions`. Default: the fleet's. */
  trustedKeys?: readonly string[] | undefined;
}

/** What a fleet is made of. Unknown options are refused with ERR_UNKNOWN_OPTION. */
export interface FleetOptions extends DomainCounts {
  /**
   * How many hosts, 1 to 1,000, named 'host-1' and so on, or which. Default 5. They are dealt out to the domains in turn.
   */
  hosts?: number | readonly FleetHost[] | undefined;
  /** At most one for each host. Default 5, or the number of hosts where that is lower. */
  updateDomains?: number | undefined;
  /** At most one for each host. Default 2, or the number of hosts where that is lower. */
  faultDomains?: number | undefined;
  /**
   * The state folder: the event log with the state of a rollout, and the folders of the hosts. One fleet at a time has it
   * open. Default: none; the log is in memory and the hosts' folders are temporary.
   */
  directory?: string | undefined;
  /** Where its events are written; not with `directory`, which has its own. Default: a log of its own, in memory. */
  log?: EventLog<FleetEvent> | undefined;
  /** What else the hosts are created with. */
  host?: HostSettings | undefined;
}

/** An availability set, as `createAvailabilitySet` takes it. */
export interface AvailabilitySetOptions extends DomainCounts {
  /** 1 to 64 characters, unique in the fleet. */
  name: string;
  /** At most the fleet's. Default: the fleet's. */
  updateDomains?: number | undefined;
  /** At most the fleet's. Default: the fleet's. */
  faultDomains?: number | undefined;
}

export interface FleetVmOptions extends VmOptions {
  /** The name of the set that the VM belongs to; at most one. Default: none. */
  availabilitySet?: string | undefined;
}

/** A VM of a fleet whose guest is a real program. */
export interface FleetProcessVmOptions extends ProcessVmOptions {
  /** The name of the set that the VM belongs to; at most one. Default: none. */
  availabilitySet?: string | undefined;
}

export interface ParsedFleetOptions {
  readonly hosts: readonly FleetHost[];
  readonly log: EventLog<FleetEvent> | undefined;
  readonly updateDomains: number;
  readonly faultDomains: number;
  readonly directory: string | undefined;
  readonly host: HostSettings;
}

/** Apply defaults → validate → interpret. */
export function parseFleetOptions(options: FleetOptions): ParsedFleetOptions {
  const { hosts: given, directory, host, log, ...domains } = parseOptions(fleetSchema, options, 'a fleet');
  if (log !== undefined && directory !== undefined) {
    throw new StandstillError(
      'ERR_INVALID_OPTION',
      "Expected one of 'log' and 'directory' of a fleet but received both",
    );
  }
  const hosts = typeof given === 'number' ? numberedHosts(given) : given;
  const twice = hosts.find(({ name }, index) => hosts.findIndex((other) => other.name === name) < index);
  if (twice !== undefined) throw unexpected('ERR_INVALID_OPTION', 'each name once', "'hosts' of a fleet", twice.name);
  const count = hosts.length;
  return {
    hosts,
    directory,
    host,
    log,
    updateDomains: atMost(count, domains.updateDomains, UPDATE_DOMAINS_DEFAULT, "'updateDomains' of a fleet", 'host'),
    faultDomains: atMost(count, domains.faultDomains, FAULT_DOMAINS_DEFAULT, "'faultDomains' of a fleet", 'host'),
  };
}

export function parseSetOptions(
  options: AvailabilitySetOptions,
  fleet: { readonly updateDomains: number; readonly faultDomains: number },
): AvailabilitySet {
  const { name, ...domains } = parseOptions(setSchema, options, 'an availability set');
  const what = (field: string) => `'${field}' of availability set '${name}'`;
  return {
    name,
    updateDomains: atMost(
      fleet.updateDomains,
      domains.updateDomains,
      fleet.updateDomains,
      what('updateDomains'),
      'domain of the fleet',
    ),
    faultDomains: atMost(
      fleet.faultDomains,
      domains.faultDomains,
      fleet.faultDomains,
      what('faultDomains'),
      'domain of the fleet',
    ),
  };
}

function atMost(limit: number, given: number | undefined, fallback: number, what: string, each: string): number {
  if (given === undefined) return Math.min(fallback, limit);
  if (given <= limit) return given;
  throw unexpected('ERR_INVALID_OPTION', `at most ${limit}, one for each ${each},`, what, given);
}

const numberedHosts = (count: number): FleetHost[] =>
  Array.from({ length: count }, (_, index) => ({ name: `host-${index + 1}` }));

/** The VM's own options, and its set. */
export function splitVmOptions<Options extends FleetVmOptions | FleetProcessVmOptions>(
  options: Options,
): { vm: Omit<Options, 'availabilitySet'>; availabilitySet: string | undefined } {
  if (typeof options !== 'object' || options === null) {
    throw unexpected('ERR_INVALID_OPTION', 'an object', 'the options of a VM', options);
  }
  const { availabilitySet, ...vm } = options;
  if (availabilitySet === undefined || typeof availabilitySet === 'string') return { vm, availabilitySet };
  throw new StandstillError(
    'ERR_INVALID_OPTION',
    `Expected the name of one availability set for 'availabilitySet' of a VM but received ${Array.isArray(availabilitySet) ? 'several' : typeof availabilitySet}`,
  );
}
