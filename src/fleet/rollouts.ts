import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { onAbort } from '../base/abort.js';
import { monotonicNs } from '../base/clock.js';
import { StandstillError } from '../base/errors.js';
import type { EventLog } from '../base/event-log.js';
import type { Host } from '../host/host.js';
import type { Vm } from '../vm/vm.js';
import type { FleetEvent } from './events.js';
import { healthProblem } from './health.js';
import { bundlesApplied, workOnHost } from './host-work.js';
import type { HostPlace, VmPlace } from './placement.js';
import { driveRollout, type RolloutHands } from './rollout.js';
import type { RolloutEvent } from './rollout-events.js';
import {
  type ParsedRollout,
  parseResumeOptions,
  parseRolloutOptions,
  plannedPatch,
  type ResumeOptions,
  type RolloutControl,
  type RolloutOptions,
} from './rollout-options.js';
import { hostsOfSets, planSteps, type RolloutPlan, type RolloutStep } from './rollout-plan.js';
import { type RolloutReport, rolloutReport } from './rollout-report.js';
import { evolve, type RolloutState } from './rollout-state.js';

export interface PlacedVm {
  readonly place: VmPlace;
  readonly vm: Vm;
}

/** What the rollouts of a fleet need of it. */
export interface RolloutGround {
  readonly log: EventLog<FleetEvent>;
  readonly updateDomains: number;
  readonly hosts: readonly HostPlace[];
  /** Those that are not closed. */
  vms(): readonly PlacedVm[];
  hostNamed(name: string): Host;
  /** Throws ERR_INVALID_OPTION where there is no such set. */
  assertSet(name: string): void;
}

/** The rollouts of a fleet, of which there is one at a time, a stopped one included. Its state is the log's to tell. */
export class Rollouts {
  readonly #fleet: RolloutGround;
  #state: RolloutState | undefined;
  #driving: { readonly stop: AbortController; readonly done: Promise<unknown> } | undefined;

  constructor(fleet: RolloutGround) {
    this.#fleet = fleet;
    for (const entry of fleet.log.entries) this.#state = evolve(this.#state, entry);
    fleet.log.subscribe((entry) => {
      this.#state = evolve(this.#state, entry);
    });
  }

  async start(options: RolloutOptions): Promise<RolloutReport> {
    const { probe, isApplied, maintain, signal, ...settings } = parseRolloutOptions(options);
    this.#assertNone();
    return await this.#drive({ probe, isApplied, maintain, signal }, async () => {
      const plan = await this.#planOf(settings);
      return { type: 'rollout-started', rollout: randomUUID(), plan };
    });
  }

  async resume(options: ResumeOptions): Promise<RolloutReport> {
    const { direction: given, ...control } = parseResumeOptions(options);
    const { id, plan, direction: before } = this.#stopped();
    const direction = given ?? before;
    if (direction === 'rollback') assertRollbackPossible(plan);
    return await this.#drive(control, async () => ({ type: 'rollout-resumed', rollout: id, direction }));
  }

  async abandon(): Promise<void> {
    this.#fleet.log.append({ type: 'rollout-abandoned', rollout: this.#stopped().id });
    await this.#fleet.log.flush();
  }

  /** Aborts the one that is under way, and waits until it has stopped. False where there is none. */
  async stop(why: string): Promise<boolean> {
    if (this.#driving === undefined) return false;
    this.#driving.stop.abort(new StandstillError('ERR_ABORTED', why));
    await this.#driving.done.catch(() => {});
    return true;
  }

  planSteps({ availabilitySets, order }: Pick<RolloutOptions, 'availabilitySets' | 'order'>): RolloutStep[] {
    const fleet = this.#fleet;
    for (const name of availabilitySets ?? []) fleet.assertSet(name);
    const places = fleet.vms().map(({ place }) => place);
    return planSteps(hostsOfSets(fleet.hosts, places, availabilitySets), fleet.updateDomains, order);
  }

  async #planOf(settings: Omit<ParsedRollout, keyof RolloutControl>): Promise<RolloutPlan> {
    const { availabilitySets, order, hostsAtOnce, patches, rollbackPatches, ...others } = settings;
    const { budgetMs, handshakeTimeoutMs, clockSync, proof, check, allowReboot, ...kept } = others;
    const plan = {
      ...kept,
      steps: this.planSteps({ availabilitySets, order }),
      maintenance: { budgetMs, handshakeTimeoutMs, clockSync, proof, check, allowReboot },
      availabilitySets: availabilitySets ?? null,
      hostsAtOnce: hostsAtOnce ?? null,
      patches: await Promise.all(patches.map(plannedPatch)),
      rollbackPatches: await Promise.all(rollbackPatches.map(plannedPatch)),
    };
    if (plan.onFailure === 'rollback') assertRollbackPossible(plan);
    return plan;
  }

  /** From the first entry on, nobody else begins a rollout; nothing is written where `begin` rejects. */
  async #drive(control: RolloutControl, begin: () => Promise<RolloutEvent>): Promise<RolloutReport> {
    const stop = new AbortController();
    setMaxListeners(0, stop.signal); // each probe listens
    const done = (async () => {
      using _listener = control.signal && onAbort(control.signal, () => stop.abort(control.signal?.reason));
      this.#fleet.log.append(await begin());
      await driveRollout(this.#hands(control, stop.signal), stop.signal);
    })();
    this.#driving = { stop, done };
    try {
      await done;
    } finally {
      this.#driving = undefined;
    }
    const report = rolloutReport(this.#fleet.log.entries);
    if (report === undefined) throw new Error('a rollout that was driven is in the log');
    return report;
  }

  #hands(control: RolloutControl, signal: AbortSignal): RolloutHands {
    const state = () => {
      if (this.#state === undefined) throw new Error('a rollout that is driven has a state');
      return this.#state;
    };
    const { id, plan } = state();
    return {
      state,
      tell: (happening) => this.#fleet.log.append({ rollout: id, ...happening }),
      flush: () => this.#fleet.log.flush(),
      nowNs: () => this.#fleet.log.sinceBeginNs(monotonicNs()),
      work: (host) => workOnHost(this.#fleet.hostNamed(host), state().direction, plan, control.maintain),
      isApplied: async (name) => {
        const host = this.#fleet.hostNamed(name);
        return control.isApplied === undefined
          ? await bundlesApplied(plan.patches, host)
          : await control.isApplied(host);
      },
      checkHealth: (updateDomain, hosts) => this.#checkHealth(updateDomain, hosts, control, signal),
    };
  }

  async #checkHealth(
    updateDomain: number,
    hosts: readonly string[],
    { probe }: RolloutControl,
    signal: AbortSignal,
  ): Promise<string[]> {
    const state = this.#state;
    if (state === undefined) return [];
    const { lagMsMax, probeTimeoutMs } = state.plan;
    const vms = this.#fleet.vms().filter(({ place }) => hosts.includes(place.host));
    const checks = vms.map(async ({ vm, place }) => {
      const problem = await healthProblem(vm, place, { lagMsMax, probeTimeoutMs, probe, signal });
      const about = { rollout: state.id, direction: state.direction, updateDomain, host: place.host, vm: place.vm };
      this.#fleet.log.append({ type: 'health', ...about, ok: problem === null, problem });
      return problem === null ? [] : [`${place.vm}: ${problem}`];
    });
    return (await Promise.all(checks)).flat();
  }

  #stopped(): RolloutState {
    if (this.#driving !== undefined) this.#assertNone();
    if (this.#state !== undefined && isPending(this.#state)) return this.#state;
    throw new StandstillError('ERR_ROLLOUT_NOT_FOUND', 'Expected a rollout that has stopped but there is none');
  }

  #assertNone(): void {
    if (this.#driving === undefined && !isPending(this.#state)) return;
    const received =
      this.#driving === undefined ? 'one has stopped and can be resumed or abandoned' : 'one is under way';
    throw new StandstillError('ERR_ROLLOUT_ACTIVE', `Expected no rollout of this fleet but ${received}`);
  }
}

/** Stopped, or left by a process that ended. */
const isPending = (state: RolloutState | undefined): boolean =>
  state?.status === 'stopped' || state?.status === 'running';

/** Bundles the hosts take back by themselves. */
function assertRollbackPossible({ patches, rollbackPatches }: RolloutPlan): void {
  if (rollbackPatches.length > 0 || patches.every((patch) => 'bundle' in patch)) return;
  const message = "Expected 'rollbackPatches' for a rollback of patch modules but received none";
  throw new StandstillError('ERR_INVALID_OPTION', message);
}
