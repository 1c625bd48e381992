import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkRollout } from '../../src/fleet/check-rollout.js';
import { type Decision, decide, type RolloutState } from '../../src/fleet/rollout-state.js';
import { type FleetShape, RolloutSimulation } from '../fixtures/rollout-simulation.js';

const shapes: fc.Arbitrary<FleetShape> = fc
  .record({
    hosts: fc.integer({ min: 1, max: 25 }),
    updateDomains: fc.integer({ min: 1, max: 20 }),
    faultDomains: fc.integer({ min: 1, max: 3 }),
    vms: fc.array(fc.constantFrom('web', 'db', null), { maxLength: 50 }),
    hostsAtOnce: fc.option(fc.integer({ min: 1, max: 4 })),
    onFailure: fc.constantFrom('stop' as const, 'rollback' as const),
    failures: fc.constantFrom(0, 0, 0.1, 0.5),
    crashes: fc.constantFrom(0, 0, 0.05, 0.2),
    seed: fc.nat(),
  })
  .map((shape) => ({
    ...shape,
    updateDomains: Math.min(shape.hosts, shape.updateDomains),
    faultDomains: Math.min(shape.hosts, shape.faultDomains),
  }));

/** A defect: while a host of one domain is under way, the hosts of the next one are begun. */
function hurried(state: RolloutState, isAborted: boolean): Decision {
  const decision = decide(state, isAborted);
  if (decision.do !== 'wait' || state.direction === 'rollback') return decision;
  const next = state.plan.steps.find((step) => step.hosts.some((host) => isUntouched(state, host)));
  if (next === undefined) return decision;
  return { do: 'patch', updateDomain: next.updateDomain, hosts: next.hosts.filter((host) => isUntouched(state, host)) };
}

const isUntouched = (state: RolloutState, name: string): boolean => {
  const host = state.hosts[name];
  return host?.applied === 'no' && !host.underWay;
};

describe('any rollout over any fleet, with failures, aborts and kills at any moment,', () => {
  it('impacts one update domain at a time, patches each host once, and ends with all hosts patched or none', () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const simulation = new RolloutSimulation(shape);
        simulation.run();
        expect(checkRollout(simulation.entries).violations).toEqual([]);
        expect(simulation.patchedTwice).toEqual([]);
        expect(simulation.patched.size).toBe(simulation.state.status === 'done' ? shape.hosts : 0);
        if (shape.hostsAtOnce !== null) expect(simulation.hostsAtOnceMax).toBeLessThanOrEqual(shape.hostsAtOnce);
      }),
      { numRuns: 3000 },
    );
  });

  it('keeps the share of a set running that its largest domain leaves', () => {
    const even = shapes.filter(({ vms, updateDomains }) => updateDomains > 1 && vms.includes('web'));
    fc.assert(
      fc.property(even, (shape) => {
        const simulation = new RolloutSimulation({ ...shape, vms: shape.vms.filter((set) => set === 'web') });
        simulation.run();
        const count = simulation.entries.filter(({ type }) => type === 'vm-placed').length;
        expect(count).toBeGreaterThan(0);
        const size = shape.vms.filter((set) => set === 'web').length;
        const runningShareMin = 1 - Math.ceil(size / shape.updateDomains) / size;
        expect(checkRollout(simulation.entries, { runningShareMin }).violations).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

/** Another: what a killed process was working on is taken for not done. */
function forgetful(state: RolloutState, isAborted: boolean): Decision {
  const decision = decide(state, isAborted);
  if (decision.do !== 'settle') return decision;
  const hosts = decision.hosts.slice(0, 1);
  const step = state.plan.steps.find((each) => each.hosts.some((host) => hosts.includes(host)));
  return { do: 'patch', updateDomain: step?.updateDomain ?? 0, hosts };
}

describe('the controls', () => {
  it('a rollout that begins the next domain too early is found out', () => {
    const fleets = shapes.map(
      (shape): FleetShape => ({
        ...shape,
        hosts: 4,
        updateDomains: 4,
        faultDomains: 1,
        vms: Array(8).fill('web'),
        hostsAtOnce: null,
        failures: 0,
        crashes: 0,
      }),
    );
    const red = fc.sample(fleets, { numRuns: 200, seed: 7 }).filter((shape) => {
      const simulation = new RolloutSimulation(shape, hurried);
      simulation.run();
      const { violations } = checkRollout(simulation.entries);
      return (
        violations.some(({ kind }) => kind === 'two-domains') &&
        violations.some(({ kind }) => kind === 'too-few-running')
      );
    });
    // Two short impacts of two domains that are worked on at once need not overlap; most of eight do.
    expect(red.length).toBeGreaterThan(150);
  });

  it('a rollout that does not look before it goes on patches hosts twice', () => {
    const fleets = shapes.map(
      (shape): FleetShape => ({
        ...shape,
        hosts: 8,
        updateDomains: 2,
        faultDomains: 1,
        hostsAtOnce: null,
        failures: 0,
        crashes: 0.1,
      }),
    );
    const twice = fc.sample(fleets, { numRuns: 200, seed: 7 }).filter((shape) => {
      const simulation = new RolloutSimulation(shape, forgetful);
      simulation.run();
      return simulation.patchedTwice.length > 0;
    });
    expect(twice.length).toBeGreaterThan(50);
  });
});
