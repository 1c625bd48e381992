import { z } from 'zod';
import { StandstillError, unexpected } from '../base/errors.js';
import { parseOptions, wholeNumber } from '../base/options.js';
import { type HostOptions, nameSchema } from '../host/options.js';
import type { VmOptions } from '../vm/options.js';
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

const fleetSchema = z.strictObject({
  ...domainFields,
  hosts: wholeNumber(1, HOSTS_MAX).default(HOSTS_DEFAULT),
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

export interface FleetOptions extends DomainCounts {
  /** How many hosts, 1 to 1,000. Default 5. They are dealt out to the domains in turn. */
  hosts?: number | undefined;
  /** At most one for each host. Default 5, or the number of hosts where that is lower. */
  updateDomains?: number | undefined;
  /** At most one for each host. Default 2, or the number of hosts where that is lower. */
  faultDomains?: number | undefined;
  /**
   * The state folder: the event log with the state of a rollout, and the folders of the hosts. One fleet at a time has it
   * open. Default: none; the log is in memory and the hosts' folders are temporary.
   */
  directory?: string | undefined;
  /** What else the hosts are created with. */
  host?: HostSettings | undefined;
}

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

export interface ParsedFleetOptions {
  readonly hosts: number;
  readonly updateDomains: number;
  readonly faultDomains: number;
  readonly directory: string | undefined;
  readonly host: HostSettings;
}

/** Apply defaults → validate → interpret. */
export function parseFleetOptions(options: FleetOptions): ParsedFleetOptions {
  const { hosts, directory, host, ...domains } = parseOptions(fleetSchema, options, 'a fleet');
  return {
    hosts,
    directory,
    host,
    updateDomains: atMost(hosts, domains.updateDomains, UPDATE_DOMAINS_DEFAULT, "'updateDomains' of a fleet", 'host'),
    faultDomains: atMost(hosts, domains.faultDomains, FAULT_DOMAINS_DEFAULT, "'faultDomains' of a fleet", 'host'),
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

/** The VM's own options, and its set. */
export function splitVmOptions(options: FleetVmOptions): { vm: VmOptions; availabilitySet: string | undefined } {
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
