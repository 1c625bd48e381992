import { isStandstillError, messageOf } from '../../base/errors.js';
import type { EventLog } from '../../base/event-log.js';
import type { RolloutReport } from '../../fleet/rollout-report.js';
import type { Host } from '../../host/host.js';
import type { MaintenanceOptions } from '../../maintenance/options.js';
import type { PatchSpec } from '../../maintenance/patch-source.js';
import type { MaintenanceReport } from '../../maintenance/report.js';
import type { RunEvent } from '../../report/record.js';
import { EmulatedVm } from '../../vm/emulated-vm.js';
import type { Vm } from '../../vm/vm.js';
import type {
  EventAction,
  FreezeAction,
  MaintenanceAction,
  PauseAction,
  RolloutAction,
  Scenario,
} from '../scenario.js';
import { raiseEvent } from './event.js';
import type { Faults } from './faults.js';
import { freezeFor } from './freeze.js';
import { type Ground, patchSpec, vmsNamed } from './ground.js';
import type { PlannedAction } from './schedule.js';

export interface ActionMeans {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly ground: Ground;
  readonly faults: Faults;
  readonly log: EventLog<RunEvent>;
  /** Aborting it ends what is under way; the VMs run again. */
  readonly signal: AbortSignal;
}

/** Does what a schedule has in it, and keeps the reports. */
export class Actions {
  readonly maintenances: { host: string; report: MaintenanceReport }[] = [];
  readonly rollouts: RolloutReport[] = [];
  readonly #means: ActionMeans;

  constructor(means: ActionMeans) {
    this.#means = means;
  }

  /** Never rejects: what goes wrong is in the log. */
  async perform({ id, action }: PlannedAction): Promise<void> {
    const { log } = this.#means;
    log.append({ type: 'action-begin', action: id, kind: action.kind });
    let problems: readonly string[];
    try {
      problems = await this.#do(action);
    } catch (error) {
      problems = [isStandstillError(error) ? `${error.message} (${error.code})` : messageOf(error)];
    }
    log.append({ type: 'action-end', action: id, kind: action.kind, ok: problems.length === 0, problems });
  }

  async #do(action: PlannedAction['action']): Promise<readonly string[]> {
    switch (action.kind) {
      case 'maintenance':
        return await this.#maintenance(action);
      case 'rollout':
        return await this.#rollout(action);
      case 'freeze':
        return await this.#freeze(action);
      case 'pause':
        for (const vm of vmsNamed(this.#means.ground, action.vms)) vm.pause();
        return [];
      case 'resume':
        return this.#resume(action);
      case 'event':
        return await this.#event(action);
    }
  }

  async #maintenance(action: MaintenanceAction): Promise<readonly string[]> {
    const { ground, seed, signal, scenario } = this.#means;
    const { budgetMs, allowReboot, secondImpact } = action;
    const { problems } = await this.#maintain(this.#host(action.host), {
      ...{ budgetMs, allowReboot, proof: scenario.proof, seed, signal, secondImpact: secondImpact ?? undefined },
      vms: action.vms === null ? undefined : vmsNamed(ground, action.vms),
      patches: this.#patches(action.patches),
    });
    return problems;
  }

  async #rollout(action: RolloutAction): Promise<readonly string[]> {
    const { ground, signal, scenario } = this.#means;
    const { pauseBetweenMs, onFailure, budgetMs, allowReboot } = action;
    const report = await ground.fleet.rollout({
      ...{ pauseBetweenMs, onFailure, budgetMs, allowReboot, proof: scenario.proof, signal },
      patches: this.#patches(action.patches),
      rollbackPatches: this.#patches(action.rollbackPatches),
      availabilitySets: action.sets ?? undefined,
      order: action.order ?? undefined,
      hostsAtOnce: action.hostsAtOnce ?? undefined,
      maintain: (host, options) => this.#maintain(host, options),
    });
    this.rollouts.push(report);
    return report.ok ? [] : [`it ended as ${report.status}`, ...report.problems];
  }

  /** One freeze a host, all at once. */
  async #freeze({ vms: names, durationMs }: FreezeAction): Promise<readonly string[]> {
    const { ground, scenario, faults, log, signal } = this.#means;
    const vms = vmsNamed(ground, names);
    const terms = { durationMs, budgetMs: scenario.budgetMs, proof: scenario.proof, faults, log, signal };
    const kept = await Promise.all(
      ground.fleet.hosts.map(async (host) => {
        const own = vms.filter((vm) => host.vms.includes(vm));
        return own.length === 0 || (await freezeFor(host, own, terms));
      }),
    );
    return kept.includes(false) ? [`the deadline of ${scenario.budgetMs} ms released the VMs before`] : [];
  }

  /** A VM that was not paused is a mistake of the schedule. */
  #resume({ vms: names }: PauseAction): readonly string[] {
    const vms = vmsNamed(this.#means.ground, names);
    const others = vms.filter(({ state }) => state !== 'paused');
    for (const vm of vms) if (!others.includes(vm)) vm.resume();
    return others.map(({ name, state }) => `VM '${name}' was not paused but ${state}`);
  }

  async #event(action: EventAction): Promise<readonly string[]> {
    const { ground, signal, log } = this.#means;
    if (ground.metadata === undefined) throw new Error('a scenario with events has a metadata service');
    const problems = await raiseEvent(action, ground.metadata, signal);
    const hit =
      action.vms === null ? ground.fleet.vms : ground.fleet.vms.filter(({ name }) => action.vms?.includes(name));
    for (const vm of hit.filter(isRunningProgram)) {
      log.append({ type: 'clock-lag', vm: vm.name, beforeNs: null, afterNs: vm.stats().clock.lagNs });
    }
    return problems;
  }

  async #maintain(host: Host, options: MaintenanceOptions): Promise<MaintenanceReport> {
    const report = await host.applyMaintenance(this.#means.faults.inMaintenance(host, options));
    this.maintenances.push({ host: host.name, report });
    return report;
  }

  #patches(names: readonly string[]): PatchSpec[] {
    const { patches } = this.#means.scenario;
    return names.flatMap((name) => patches.filter((patch) => patch.name === name).map(patchSpec));
  }

  #host(name: string): Host {
    const host = this.#means.ground.fleet.hosts.find((each) => each.name === name);
    if (host === undefined) throw new Error('every host of a scenario is in its fleet');
    return host;
  }
}

/** A process reads its host's clock. */
const isRunningProgram = (vm: Vm): boolean =>
  vm instanceof EmulatedVm && (vm.state === 'running' || vm.state === 'idle');
