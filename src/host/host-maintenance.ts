import { setMaxListeners } from 'node:events';
import { onAbort } from '../base/abort.js';
import { StandstillError, show, unexpected } from '../base/errors.js';
import { parseOptions } from '../base/options.js';
import type { ComponentStore } from '../components/store.js';
import { MaintainedEmulated } from '../maintenance/emulated-guest.js';
import type { MaintenanceEvent } from '../maintenance/events.js';
import { budgetMsSchema } from '../maintenance/freeze-scope.js';
import type { MaintainedGuest } from '../maintenance/guest.js';
import type { MaintenanceControl } from '../maintenance/handle.js';
import { performMaintenance } from '../maintenance/maintenance.js';
import type { ImpactNotifier } from '../maintenance/notifier.js';
import { type MaintenanceOptions, type MaintenancePlan, maintenanceSchema } from '../maintenance/options.js';
import type { PatchPool } from '../maintenance/patch-pool.js';
import { type PlannedMaintenance, planPatches } from '../maintenance/plan.js';
import { MaintainedProcess } from '../maintenance/process-guest.js';
import type { MaintenanceReport } from '../maintenance/report.js';
import type { VmSnapshot } from '../snapshot/snapshot.js';
import { bootSnapshot } from '../vm/boot.js';
import { EmulatedVm } from '../vm/emulated-vm.js';
import type { HostVm, HostVms } from './host-vms.js';
import type { HostJournal } from './journal.js';

/** What of a host its maintenances work on. */
export interface MaintenanceMeans {
  readonly vms: HostVms;
  readonly journal: HostJournal;
  readonly pool: PatchPool;
  readonly components: ComponentStore;
  /** As PEM text. */
  readonly trustedKeys: readonly string[];
  /** Of a maintenance that names none. */
  readonly budgetMs: number;
  readonly notifier: ImpactNotifier | undefined;
}

/** The maintenances of a host, one at a time. */
export class HostMaintenance {
  readonly #means: MaintenanceMeans;
  readonly #schema: typeof maintenanceSchema;
  #active: { readonly stop: AbortController; readonly done: Promise<unknown> } | undefined;

  constructor(means: MaintenanceMeans) {
    this.#means = means;
    this.#schema = maintenanceSchema.extend({ budgetMs: budgetMsSchema.unwrap().default(means.budgetMs) });
  }

  async apply(options: MaintenanceOptions, control: MaintenanceControl): Promise<MaintenanceReport> {
    const plan = this.#planOf(options, control);
    if (this.#active !== undefined) {
      throw new StandstillError(
        'ERR_MAINTENANCE_ACTIVE',
        'Expected no maintenance under way on this host but there is',
      );
    }
    const stop = new AbortController();
    setMaxListeners(0, stop.signal); // each VM listens
    // Not before it is known to be under way: its first event may close the host.
    const done = Promise.resolve().then(() => this.#writtenDown(plan, stop, control.signal));
    this.#active = { stop, done };
    try {
      return await done;
    } finally {
      this.#active = undefined;
    }
  }

  async plan(options: MaintenanceOptions): Promise<PlannedMaintenance> {
    const { patches, context } = this.#planOf(options);
    return (await planPatches(patches, context)).plan;
  }

  get isActive(): boolean {
    return this.#active !== undefined;
  }

  /** Aborts one under way: `why` is the message of its ERR_ABORTED. */
  stop(why: string): void {
    this.#active?.stop.abort(new StandstillError('ERR_ABORTED', why));
  }

  /** Resolves when the one under way has ended, however it did. */
  async ended(): Promise<void> {
    await this.#active?.done.catch(() => {});
  }

  async #writtenDown(plan: MaintenancePlan, stop: AbortController, aborted: AbortSignal): Promise<MaintenanceReport> {
    const { journal } = this.#means;
    const vms = plan.targets.map(({ vm }) => vm.name);
    journal.tell({ type: 'maintenance-begin', vms, budgetMs: plan.budgetMs });
    try {
      const report = await this.#perform(plan, stop, aborted);
      journal.maintenanceEnded(report);
      return report;
    } catch (error) {
      journal.maintenanceRejected(error);
      throw error;
    }
  }

  async #perform(plan: MaintenancePlan, stop: AbortController, aborted: AbortSignal): Promise<MaintenanceReport> {
    const signal = plan.signal === undefined ? aborted : AbortSignal.any([plan.signal, aborted]);
    using _listener = onAbort(signal, () => {
      stop.abort(new StandstillError('ERR_ABORTED', 'The maintenance was aborted', { cause: signal.reason }));
    });
    return await performMaintenance(plan, this.#means.pool, stop);
  }

  #planOf(options: MaintenanceOptions, control?: MaintenanceControl): MaintenancePlan {
    const { vms, journal, components, trustedKeys, notifier } = this.#means;
    const parsed = parseOptions(this.#schema, options, 'a maintenance');
    if (parsed.keepBytes && (parsed.proof === 'deferred' || parsed.proof === 'none')) {
      throw unexpected(
        'ERR_INVALID_OPTION',
        "'full' or 'sampled' with keepBytes",
        "'proof' of a maintenance",
        parsed.proof,
      );
    }
    // Of a host without VMs, no VM is frozen; it is patched all the same.
    const targets = parsed.vms === undefined ? vms.open() : vms.chosen(parsed.vms, 'a maintenance');
    assertFaults(parsed.faults, targets);
    const { budgetMs, allowReboot } = parsed;
    const pins = targets.map((vm) => ({ name: vm.name, pinned: vms.plannedOf(vm)?.pinned === true }));
    return {
      ...parsed,
      onEvent: (event: MaintenanceEvent) => {
        journal.maintenanceEvent(event);
        control?.onEvent(event);
        parsed.onEvent?.(event);
      },
      targets: targets.map((vm) => this.guestOf(vm)),
      context: { store: components, trustedKeys, budgetMs, allowReboot, vms: pins },
      journal: (cause, records) => journal.impactEnded(cause, records),
      notifier: parsed.notifier ?? notifier,
    };
  }

  /** What is asked of a VM over one freeze. */
  guestOf(vm: HostVm): MaintainedGuest {
    if (vm instanceof EmulatedVm) return new MaintainedEmulated(vm, () => this.#bootSnapshotOf(vm));
    return new MaintainedProcess(vm);
  }

  async #bootSnapshotOf(vm: EmulatedVm): Promise<VmSnapshot> {
    const boot = this.#means.vms.plannedOf(vm)?.boot;
    if (boot !== undefined) return await bootSnapshot(boot);
    throw new StandstillError('ERR_VM_CLOSED', `Expected an open VM but '${vm.name}' is closed`);
  }
}

function assertFaults(faults: MaintenancePlan['faults'], vms: readonly HostVm[]): void {
  for (const fault of faults) {
    const vm = vms.find(({ name }) => name === fault.vm);
    // It says itself that its memory is not changed from outside.
    if (vm?.kind === 'process') vm.flipBit();
    if (vm !== undefined && fault.gpa < vm.ramBytes) continue;
    const expected = vm === undefined ? 'the name of a maintained VM' : `an address below ${vm.ramBytes}`;
    const received = show(vm === undefined ? fault.vm : fault.gpa);
    throw new StandstillError('ERR_INVALID_OPTION', `Expected ${expected} for a fault but received ${received}`);
  }
}
