/** A host's place in the fleet. Its maintenance hits all of its VMs, so it is in one update and one fault domain. */
export interface HostPlace {
  readonly host: string;
  readonly updateDomain: number;
  readonly faultDomain: number;
}

/** A set whose VMs are never all impacted at once. */
export interface AvailabilitySet {
  readonly name: string;
  /** Its VMs are spread over that many update domains of the fleet, the first ones. */
  readonly updateDomains: number;
  readonly faultDomains: number;
}

/** Where a VM is; its domains are those of its host. */
export interface VmPlace extends HostPlace {
  readonly vm: string;
  /** Null for a VM that is in no set. */
  readonly availabilitySet: string | null;
}

/** Hosts, dealt out to the domains in turn. */
export function hostPlaces(hosts: readonly string[], updateDomains: number, faultDomains: number): HostPlace[] {
  return hosts.map((host, index) => ({
    host,
    updateDomain: index % updateDomains,
    faultDomain: index % faultDomains,
  }));
}

/**
 * The host of the next VM, by what is there alone. The k-th VM of a set, from 0, belongs to update domain k mod n and is
 * meant for fault domain k mod m, as in the cloud. Of the hosts in that update domain, one in that fault domain is
 * preferred, then the one with the fewest VMs, then the first. A VM of no set goes to the host with the fewest.
 *
 * `createdInSet` counts all VMs that the set has had, closed ones too; `vms` are those that are there.
 */
export function placeNext(
  hosts: readonly HostPlace[],
  vms: readonly VmPlace[],
  set: AvailabilitySet | undefined,
  createdInSet: number,
): HostPlace {
  const candidates =
    set === undefined ? hosts : hosts.filter((host) => host.updateDomain === createdInSet % set.updateDomains);
  const faultDomain = set === undefined ? undefined : createdInSet % set.faultDomains;
  const vmsOn = (host: HostPlace) => vms.filter((vm) => vm.host === host.host).length;
  const misses = (host: HostPlace) => (faultDomain === undefined || host.faultDomain === faultDomain ? 0 : 1);
  // The sort is stable, so that of equal hosts the first stays first.
  const [best] = candidates.toSorted((a, b) => misses(a) - misses(b) || vmsOn(a) - vmsOn(b));
  if (best === undefined) throw new Error('every update domain of a fleet has a host');
  return best;
}
