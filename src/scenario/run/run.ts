import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { monotonicNs } from '../../base/clock.js';
import { isStandstillError, messageOf, StandstillError } from '../../base/errors.js';
import { EventLog, type LogEntry } from '../../base/event-log.js';
import { parseOptions, wholeNumber } from '../../base/options.js';
import { Prng } from '../../base/prng.js';
import { NS_PER_MS } from '../../base/units.js';
import type { Fleet } from '../../fleet/fleet.js';
import type { ProbeSpec } from '../../probe/options.js';
import { startProbes } from '../../probe/probes.js';
import { type RunEvent, type RunRecord, runRecord } from '../../report/record.js';
import type { Scenario, ScenarioProbe } from '../scenario.js';
import { Actions } from './actions.js';
import { judge } from './expectations.js';
import { Faults } from './faults.js';
import { type Ground, prepareGround } from './ground.js';
import { judgeImplied } from './implied.js';
import type { Observed } from './samples.js';
import { followSchedule, Milestones, ofEvent, type PlannedAction, planSchedule } from './schedule.js';
import { randomSeed } from './seed.js';

const PATIENCE_MS = 30_000;

const isFunction = (value: unknown) => typeof value === 'function';
const optionsSchema = z.strictObject({
  seed: wholeNumber(0, 2 ** 53 - 1).optional(),
  signal: z.instanceof(AbortSignal, { error: 'an AbortSignal' }).optional(),
  onEvent: z.custom<RunScenarioOptions['onEvent']>(isFunction, 'a function').optional(),
});

/** How a scenario is run. */
export interface RunScenarioOptions {
  /** Decides guests, jitter and faults: 0 to 2^53 − 1. Default: the scenario's, else a random one, which the record tells. */
  seed?: number | undefined;
  /** Aborting it resumes and closes all VMs; the run rejects with ERR_ABORTED. */
  signal?: AbortSignal | undefined;
  /** Called synchronously with each entry of the log; some are written while VMs stand still, so return quickly. */
  onEvent?: ((entry: LogEntry<RunEvent>) => void) | undefined;
}

/**
 * Runs a scenario: creates its hosts and VMs, waits until all guests are ready, follows its schedule beside its probes,
 * and judges what it expects by the event log and the reports. What goes wrong in it is in the record. Rejects where it
 * could not be run: ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION, ERR_ABORTED, and as `Fleet.create`, `createVm`,
 * `createProcessVm`, `ready` and `startProbes` do; nothing is left then.
 */
export async function runScenario(scenario: Scenario, options: RunScenarioOptions = {}): Promise<RunRecord> {
  await using prepared = await prepareRun(scenario, options, () => {});
  return await prepared.run();
}

/** A scenario whose guests all run and are ready; disposing of it closes them. */
export interface PreparedRun extends Ground {
  /** Follows the schedule to its end, once; the guests run on after it. */
  run(): Promise<RunRecord>;
}

/** The first half of `runScenario`. Tells of the fleet as soon as there is one. */
export async function prepareRun(
  scenario: Scenario,
  options: RunScenarioOptions,
  onFleet: (fleet: Fleet) => void,
): Promise<PreparedRun> {
  const {
    seed = scenario.seed ?? randomSeed(),
    signal = new AbortController().signal,
    onEvent,
  } = parseOptions(optionsSchema, options, 'the run of a scenario');
  const startedAt = new Date().toISOString();
  const log = new EventLog<RunEvent>();
  if (onEvent !== undefined) log.subscribe(onEvent);
  const prng = new Prng(BigInt(seed));
  const planned = planSchedule(scenario.schedule, prng);
  const faults = new Faults(scenario, prng, log);
  const milestones = new Milestones();
  log.subscribe(({ type }) => milestones.reach(ofEvent(type)));
  log.append({
    type: 'run-planned',
    actions: planned.map(({ id, action, dueMs, after }) => ({ id, kind: action.kind, dueMs, after })),
  });
  const ground = await prepareGround(scenario, { seed, log, signal, onFleet });
  const run = async () => {
    const { error, observed } = await perform(scenario, { seed, planned, milestones, faults, ground, log, signal });
    const expectations = [
      ...scenario.expect.map((expectation) => judge(expectation, observed, (name) => membersOf(scenario, name))),
      ...judgeImplied(scenario, observed),
    ];
    const result = error !== null ? 'aborted' : expectations.every(({ ok }) => ok) ? 'passed' : 'failed';
    return runRecord({ name: scenario.name, seed, startedAt, result, error, ...observed, expectations });
  };
  return { ...ground, run };
}

interface Performed {
  readonly observed: Observed;
  /** What ended it before its end. */
  readonly error: RunRecord['error'];
}

interface Work {
  readonly seed: number;
  readonly planned: readonly PlannedAction[];
  readonly milestones: Milestones;
  readonly faults: Faults;
  readonly ground: Ground;
  readonly log: EventLog<RunEvent>;
  readonly signal: AbortSignal;
}

async function perform(
  scenario: Scenario,
  { seed, planned, milestones, faults, ground, log, signal }: Work,
): Promise<Performed> {
  if (ground.metadata !== undefined) faults.inMetadata(ground.metadata);
  await using probes = await startProbes(
    scenario.probes.map((probe) => probeSpec(probe, ground)),
    { log, signal },
  );
  const stop = AbortSignal.any([signal, probes.unhealthy]);
  setMaxListeners(0, stop); // each action listens
  const actions = new Actions({ scenario, seed, ground, faults, log, signal: stop });
  const beganAtNs = monotonicNs();
  const elapsedNs = () => Number(monotonicNs() - beganAtNs);
  log.append({ type: 'run-begin' });
  await Promise.all([
    followSchedule(planned, {
      milestones,
      perform: (action) => actions.perform(action),
      missed: ({ id, action, after }) =>
        log.append({ type: 'action-missed', action: id, kind: action.kind, after: after ?? '' }),
      nowMs: () => elapsedNs() / NS_PER_MS,
      patienceMs: PATIENCE_MS,
      signal: stop,
    }),
    sleep(scenario.durationMs ?? 0, undefined, { signal: stop }).catch(() => {}),
  ]);
  if (signal.aborted) throw new StandstillError('ERR_ABORTED', 'The run was aborted', { cause: signal.reason });
  const summaries = await probes.stop();
  log.append({ type: 'run-end' });
  const { maintenances, rollouts } = actions;
  const observed = { log: log.entries, maintenances, rollouts, probes: summaries, durationNs: elapsedNs() };
  return { observed, error: probes.unhealthy.aborted ? failureOf(probes.unhealthy.reason) : null };
}

const failureOf = (reason: unknown): RunRecord['error'] => ({
  code: isStandstillError(reason) ? reason.code : null,
  message: messageOf(reason),
});

/** At an edge a service may be still: such a probe only measures. */
function probeSpec({ abort, target, ...probe }: ScenarioProbe, { fleet }: Ground): ProbeSpec {
  return {
    ...probe,
    target: 'check' in target ? { check: fleet.vm(target.check) } : target,
    okShareMin: probe.kind === 'edge' ? 0 : undefined,
    abort: abort ?? undefined,
  };
}

/** The VMs of an entry with a count are meant by its name. */
function membersOf({ vms }: Scenario, name: string): string[] {
  const group = vms.filter((vm) => vm.group === name).map((vm) => vm.name);
  return group.length === 0 ? [name] : group;
}
