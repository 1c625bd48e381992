import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AvailabilitySet, hostPlaces, placeNext, type VmPlace } from '../../../src/fleet/placement.js';

const WEB: AvailabilitySet = { name: 'web', updateDomains: 5, faultDomains: 2 };

function place(hosts: ReturnType<typeof hostPlaces>, sets: readonly (AvailabilitySet | undefined)[]): VmPlace[] {
  const vms: VmPlace[] = [];
  for (const [index, set] of sets.entries()) {
    const created = vms.filter((vm) => set !== undefined && vm.availabilitySet === set.name).length;
    vms.push({ vm: `vm-${index}`, availabilitySet: set?.name ?? null, ...placeNext(hosts, vms, set, created) });
  }
  return vms;
}

const named = (hosts: number): string[] => Array.from({ length: hosts }, (_, index) => `host-${index + 1}`);

const counts = (values: readonly number[], of: number) =>
  Array.from({ length: of }, (_, index) => values.filter((value) => value === index).length);

describe('the placement of a set', () => {
  it('goes round the update domains and the fault domains by creation, as in the cloud', () => {
    const vms = place(hostPlaces(named(10), 5, 2), Array(10).fill(WEB));
    expect(vms.map(({ updateDomain }) => updateDomain)).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
    expect(vms.map(({ faultDomain }) => faultDomain)).toEqual([0, 1, 0, 1, 0, 1, 0, 1, 0, 1]);
  });

  it('keeps to the update domain where it has no host in the fault domain', () => {
    const vms = place(hostPlaces(named(5), 5, 2), Array(10).fill(WEB));
    expect(vms[5]).toMatchObject({ host: 'host-1', updateDomain: 0, faultDomain: 0 });
  });

  it('leaves the later domains empty where it has few VMs', () => {
    const vms = place(hostPlaces(named(5), 5, 2), Array(3).fill(WEB));
    expect(vms.map(({ updateDomain }) => updateDomain)).toEqual([0, 1, 2]);
  });

  it('uses the first domains only where the set has fewer than the fleet', () => {
    const vms = place(hostPlaces(named(6), 6, 2), Array(9).fill({ ...WEB, updateDomains: 3 }));
    expect(
      counts(
        vms.map(({ updateDomain }) => updateDomain),
        6,
      ),
    ).toEqual([3, 3, 3, 0, 0, 0]);
  });
});

it('a VM of no set goes to the host that carries the fewest', () => {
  const vms = place(
    hostPlaces(named(3), 3, 2),
    [WEB, undefined, undefined, undefined].map((set) => set && { ...set, updateDomains: 3 }),
  );
  expect(vms.map(({ host }) => host)).toEqual(['host-1', 'host-2', 'host-3', 'host-1']);
});

it('spreads any sets over any fleet evenly, the same way each time', () => {
  const fleets = fc
    .record({
      hosts: fc.integer({ min: 1, max: 40 }),
      domains: fc.integer({ min: 1, max: 20 }),
      faults: fc.integer({ min: 1, max: 3 }),
    })
    .map(({ hosts, domains, faults }) => ({
      hosts,
      domains: Math.min(hosts, domains),
      faults: Math.min(hosts, faults),
    }));
  fc.assert(
    fc.property(
      fleets,
      fc.array(fc.constantFrom('a', 'b', undefined), { maxLength: 60 }),
      ({ hosts, domains, faults }, names) => {
        const sets = names.map((name) =>
          name === undefined ? undefined : { name, updateDomains: domains, faultDomains: faults },
        );
        const places = hostPlaces(named(hosts), domains, faults);
        const vms = place(places, sets);
        expect(place(places, sets)).toEqual(vms);
        for (const name of ['a', 'b']) {
          const perDomain = counts(
            vms.filter((vm) => vm.availabilitySet === name).map(({ updateDomain }) => updateDomain),
            domains,
          );
          expect(Math.max(...perDomain) - Math.min(...perDomain)).toBeLessThanOrEqual(1);
        }
      },
    ),
    { numRuns: 300 },
  );
});
