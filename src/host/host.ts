import { rmSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import type { EventLog } from '../base/event-log.js';
import { parseOptions } from '../base/options.js';
import { readKey } from '../components/keys.js';
import { ComponentStore } from '../components/store.js';
import {
  FreezeScope,
  type FreezeSettings,
  freezeFields,
  type ParsedFreezeSettings,
} from '../maintenance/freeze-scope.js';
import { Maintenance } from '../maintenance/handle.js';
import type { MaintenanceOptions } from '../maintenance/options.js';
import { PatchPool } from '../maintenance/patch-pool.js';
import type { PlannedMaintenance } from '../maintenance/plan.js';
import { addon } from '../native/addon.js';
import type { NativePageStore, NativePageStoreUsage } from '../native/contract.js';
import { watched } from '../native/watched.js';
import { type ProcessVmOptions, parseProcessVmOptions } from '../process/options.js';
import { ProcessVm } from '../process/process-vm.js';
import { loadSnapshot, nativeSnapshotOf, type SnapshotLoadOptions, type VmSnapshot } from '../snapshot/snapshot.js';
import { createAtSnapshot, createFromConfig } from '../vm/emulated-vm.js';
import { nativeVmConfig, type VmOptions } from '../vm/options.js';
import {
  assertCloneCount,
  type CloneOptions,
  nativeRestoreConfig,
  parseCloneOptions,
  parseRestoreOptions,
  type RestoreOptions,
} from '../vm/restore-options.js';
import type { Vm } from '../vm/vm.js';
import type { HostEvent } from './events.js';
import { HostMaintenance } from './host-maintenance.js';
import { type HostVm, HostVms } from './host-vms.js';
import { HostJournal } from './journal.js';
import { HostMetadata } from './metadata.js';
import { type HostOptions, type ParsedHostOptions, parseHostOptions } from './options.js';
import {
  type FreezeReport,
  type FrozenWatch,
  type WhileFrozenOptions,
  whileFrozen,
  whileFrozenSchema,
} from './while-frozen.js';

const freezeSchema = z.strictObject({ ...freezeFields, vms: z.array(z.custom<Vm>(), 'an array of VMs').optional() });

/** Which VMs a freeze takes, and for how long at most. */
export interface FreezeOptions extends FreezeSettings {
  /** Default: every VM of the host that is not closed. */
  vms?: readonly Vm[] | undefined;
}

/**
 * Bytes that the snapshots of a host may hold, do hold, and have resident (some is kept for the next snapshot).
 * @interface
 */
export type SnapshotMemory = NativePageStoreUsage;

/**
 * A host: it owns VMs, the folder of its components and the workers that patch it. It holds its VMs strongly, so close
 * it: `await using host = await Host.create()` does.
 */
export class Host implements Disposable, AsyncDisposable {
  readonly name: string;
  /** The update domain that it belongs to; null outside of a fleet. */
  readonly updateDomain: number | null;
  /** What happened on it, in its order: VMs, freezes and their impact, maintenances. */
  readonly log: EventLog<HostEvent>;
  /** The host's state; handed to each patch module. */
  readonly directory: string;
  /** The components of the hosting environment, which patch bundles update. In the host's folder. */
  readonly components: ComponentStore;
  readonly #ownsDirectory: boolean;
  readonly #journal: HostJournal;
  readonly #pageStore: NativePageStore;
  readonly #metadata: HostMetadata | undefined;
  readonly #vms: HostVms;
  readonly #pool: PatchPool;
  readonly #maintenance: HostMaintenance;

  private constructor(
    parsed: ParsedHostOptions,
    components: ComponentStore,
    trustedKeys: readonly string[],
    directory: string,
  ) {
    this.name = parsed.name;
    this.updateDomain = parsed.updateDomain;
    this.log = parsed.log;
    this.directory = directory;
    this.components = components;
    this.#ownsDirectory = parsed.directory === undefined;
    this.#journal = new HostJournal(parsed.log, parsed.name, parsed.updateDomain);
    this.#pageStore = addon.createPageStore(parsed.snapshotBytesMax);
    const { metadata } = parsed;
    if (metadata !== undefined) {
      this.#metadata = new HostMetadata(metadata, {
        ...parsed,
        freeze: (vm, budgetMs) => this.freeze({ vms: [vm], budgetMs }),
        journal: (cause, records) => this.#journal.impactEnded(cause, records),
        tell: (event) => {
          if (!Object.is(metadata.log, parsed.log)) this.#journal.tell(event);
        },
      });
    }
    this.#vms = new HostVms(this.#journal, this.#metadata);
    this.#pool = new PatchPool(directory, parsed);
    this.#maintenance = new HostMaintenance({
      ...{ vms: this.#vms, journal: this.#journal, pool: this.#pool, components, trustedKeys },
      budgetMs: parsed.budgetMs,
      notifier: this.#metadata?.notifier,
    });
    this.#journal.tell({ type: 'host-created' });
  }

  /**
   * Opens the host's folder, and ends an update of its components that a crash has left unfinished: `components.recovery`
   * tells which version is current. Rejects with ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION, ERR_KEY_INVALID, ERR_STORE_BUSY (another host
   * has the folder), ERR_STORE_IO, ERR_STORE_DAMAGED, or the file system's error where the folder cannot be made.
   */
  static async create(options: HostOptions = {}): Promise<Host> {
    const parsed = parseHostOptions(options);
    const { directory } = parsed;
    const keys = await Promise.all(parsed.trustedKeys.map((source) => readKey(source, 'public')));
    const trusted = keys.map((key) => key.export({ type: 'spki', format: 'pem' }).toString());
    const made = directory === undefined ? await mkdtemp(join(tmpdir(), 'standstill-')) : resolve(directory);
    if (directory !== undefined) await mkdir(made, { recursive: true });
    const components = await ComponentStore.open(join(made, 'components'));
    return new Host(parsed, components, trusted, made);
  }

  /** The VMs that are not closed, in the order of their creation. */
  get vms(): readonly Vm[] {
    return this.#vms.open();
  }

  /** Patch workers that are blocked in native code since they were cancelled: their threads cannot be had back. */
  get abandonedThreads(): number {
    return this.#pool.abandonedThreads;
  }

  /** Memory of this host's snapshots: the cap, what they hold, and what is resident. */
  get snapshotMemory(): SnapshotMemory {
    return this.#pageStore.usage();
  }

  /**
   * Creates a VM in state 'created'. Rejects with ERR_INVALID_OPTION (a name that is taken and more RAM in all than the
   * machine has, too), ERR_UNKNOWN_OPTION, ERR_UNKNOWN_PROGRAM, ERR_UNKNOWN_PARAMETER, ERR_OUT_OF_MEMORY,
   * ERR_THREAD_FAILED, ERR_HOST_CLOSED.
   */
  async createVm(options: VmOptions): Promise<Vm> {
    this.#vms.assertOpen();
    const config = nativeVmConfig(options, (program) => this.#vms.freeName(program), this.#pageStore);
    const planned = { name: config.name, ramBytes: config.ramBytes, pinned: options.pinned === true, boot: config };
    return await this.#vms.admit(planned, () => createFromConfig(config));
  }

  /**
   * Creates a VM whose guest is a real program, in state 'created'. Where the host has a metadata service, the variable
   * STANDSTILL_METADATA_URL of the guest's environment names the guest's own server there; in a network of its own it is at
   * 169.254.169.254. Rejects as `ProcessVm.create`
   * does, with ERR_INVALID_OPTION for a name that is taken, and ERR_HOST_CLOSED.
   */
  async createProcessVm(options: ProcessVmOptions): Promise<ProcessVm> {
    this.#vms.assertOpen();
    const parsed = parseProcessVmOptions(options, (command) => this.#vms.freeName(command));
    const { name, pinned } = parsed;
    return await this.#vms.admit({ name, ramBytes: 0, pinned }, async () => {
      let vm: ProcessVm | undefined;
      const metadataUrl = await this.#metadata?.joinProcess({ name, vm: () => vm });
      vm = await ProcessVm.fromOptions({ ...parsed, metadataUrl });
      await this.#metadata?.serveOwnNetwork(vm);
      return vm;
    });
  }

  /**
   * Creates a VM that begins at a snapshot, in state 'paused': a copy, that shares nothing with it. Of a lazily loaded
   * snapshot nothing is copied now: the VM is mapped from the file, copy-on-write (`prefault` copies all of it). Its
   * guest clock goes on from the snapshot's. Rejects as `createVm` does, and with ERR_ABORTED, ERR_SNAPSHOT_DAMAGED,
   * ERR_MEMORY_LOST.
   */
  async restore(snapshot: VmSnapshot, options: RestoreOptions = {}): Promise<Vm> {
    this.#vms.assertOpen();
    const native = nativeSnapshotOf(snapshot, 'a restore');
    const parsed = parseRestoreOptions(options);
    const { name = this.#vms.freeName(snapshot.program), signal, onProgress, pinned, ...settings } = parsed;
    const config = nativeRestoreConfig(settings, this.#pageStore, { name, clone: false, index: 0 });
    return await watched({ signal, onProgress }, 'restore', (progress) =>
      this.#vms.admit(
        { name, ramBytes: snapshot.ramBytes, pinned, boot: bootOf(snapshot, name, this.#pageStore) },
        () => createAtSnapshot(config, native, progress),
      ),
    );
  }

  /**
   * Creates `count` VMs (1 to 100,000) that begin at a snapshot and share its memory copy-on-write, in state 'paused',
   * named '<name>-1' and so on. The first ones of a snapshot have its RAM written to an image in memory, under the
   * host's cap for snapshots; the image stays as long as the snapshot or a clone does. Those of a lazily loaded one are
   * mapped from its file. All of them are created, or none. The memory that they come to take is what they write: it is not counted beforehand. Rejects as `restore` does, and
   * with ERR_SNAPSHOT_LIMIT.
   */
  async clone(snapshot: VmSnapshot, count: number, options: CloneOptions = {}): Promise<Vm[]> {
    this.#vms.assertOpen();
    const native = nativeSnapshotOf(snapshot, 'a clone');
    assertCloneCount(count);
    const { name, signal, onProgress, pinned, ...settings } = parseCloneOptions(options);
    return await watched({ signal, onProgress }, 'clone', async (progress) => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: count }, async (_, index) => {
          const own = name === undefined ? this.#vms.freeName(snapshot.program) : `${name}-${index + 1}`;
          const config = nativeRestoreConfig(settings, this.#pageStore, { name: own, clone: true, index });
          const boot = bootOf(snapshot, own, this.#pageStore);
          return await this.#vms.admit({ name: own, ramBytes: 0, pinned, boot }, () =>
            createAtSnapshot(config, native, progress),
          );
        }),
      );
      const failure = outcomes.find((outcome) => outcome.status === 'rejected');
      const clones = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
      if (failure === undefined) return clones;
      for (const vm of clones) vm.close();
      throw failure.reason;
    });
  }

  /**
   * Loads a snapshot file: lazily, or into the memory of this host's snapshots, under its cap; snapshots among the
   * `bases` must be this host's too. Otherwise as `VmSnapshot.load`, and ERR_HOST_CLOSED.
   */
  async loadSnapshot(path: string, options: SnapshotLoadOptions = {}): Promise<VmSnapshot> {
    this.#vms.assertOpen();
    return await loadSnapshot(path, options, this.#pageStore);
  }

  /**
   * Freezes VMs until the scope is left, at most for the budget. Synchronous; microseconds a VM. Throws ERR_BUSY (one of
   * them is in a freeze), ERR_PAUSE_TIMEOUT, ERR_VM_CLOSED, ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION, ERR_HOST_CLOSED; no
   * VM is frozen then.
   */
  freeze(options: FreezeOptions = {}): FreezeScope {
    this.#vms.assertOpen();
    const { vms, ...settings } = parseOptions(freezeSchema, options, 'a freeze');
    return this.#freeze(this.#vms.chosen(vms, 'a freeze'), settings);
  }

  /**
   * Freezes VMs, runs the callback, and lets them run again, whatever happens: it returns, throws or hangs until the
   * budget is over. They stand still when this returns its promise; memory is read, then the callback called. Resolves
   * with what the freeze did to each VM. Rejects as `freeze` throws, with what the callback throws, with
   * ERR_CALLBACK_TIMEOUT where it goes on when the deadline has released the VMs, and with an AggregateError where
   * undoing what it deferred failed as well.
   */
  async whileFrozen(
    vms: Vm | readonly Vm[],
    act: (frozen: FrozenWatch) => unknown,
    options: WhileFrozenOptions = {},
  ): Promise<FreezeReport> {
    this.#vms.assertOpen();
    const { proof, keepBytes, ...settings } = parseOptions(whileFrozenSchema, options, 'whileFrozen');
    const targets = this.#vms.chosen('name' in vms ? [vms] : vms, 'whileFrozen');
    const scope = this.#freeze(targets, settings);
    const guests = targets.map((vm) => this.#maintenance.guestOf(vm));
    return await whileFrozen({ scope, guests, proof, keepBytes, budgetMs: settings.budgetMs }, act);
  }

  #freeze(targets: readonly HostVm[], settings: ParsedFreezeSettings): FreezeScope {
    const scope = FreezeScope.begin(targets, settings, (records) => this.#journal.impactEnded('freeze', records));
    this.#journal.tell({ type: 'freeze-begin', vms: targets.map(({ name }) => name), budgetMs: settings.budgetMs });
    return scope;
  }

  /**
   * Freezes VMs of any kind, patches the host behind them, resumes them within the budget, synchronises their clocks and
   * reports what happened to them. What is returned is the promise of the report, by which the maintenance can be
   * followed and aborted too. What goes wrong with a patch or with memory is in the report. It rejects where the operation
   * was not done: ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION, ERR_MAINTENANCE_ACTIVE, ERR_HOST_CLOSED,
   * ERR_PATCH_NOT_FOUND, ERR_PATCH_INVALID and ERR_PATCH_ABANDONED (no slot left) before the freeze, ERR_PATCH_REFUSED
   * and what else keeps a patch from qualifying, ERR_BUNDLE_DIGEST and ERR_STORE_IO from staging, ERR_HOOK_FAILED and
   * ERR_HOOK_TIMEOUT, ERR_BUSY,
   * ERR_PAUSE_TIMEOUT, ERR_VM_CLOSED and, of a process, ERR_PROCESS_ENDED and ERR_FREEZER_UNAVAILABLE at its begin,
   * ERR_ABORTED at any time; the VMs run as before.
   */
  applyMaintenance(options: MaintenanceOptions = {}): Maintenance {
    return new Maintenance(async (control) => {
      this.#vms.assertOpen();
      return await this.#maintenance.apply(options, control);
    });
  }

  /**
   * What `applyMaintenance` with the same options would do, without doing it: which patches qualify, in which order and
   * class, and why not the others. Rejects as it does for its options, and with ERR_PATCH_NOT_FOUND for a module.
   */
  async planMaintenance(options: MaintenanceOptions = {}): Promise<PlannedMaintenance> {
    this.#vms.assertOpen();
    return await this.#maintenance.plan(options);
  }

  /** Whether a maintenance is under way. */
  get isUnderMaintenance(): boolean {
    return this.#maintenance.isActive;
  }

  /**
   * Aborts the maintenance under way, whoever began it: its VMs are resumed at once, and it rejects with ERR_ABORTED.
   * False where there is none.
   */
  cancelMaintenance(): boolean {
    if (!this.#maintenance.isActive) return false;
    this.#maintenance.stop('The maintenance was cancelled');
    return true;
  }

  /**
   * Aborts a maintenance under way, closes the VMs, ends the patch workers and removes a temporary folder. Idempotent.
   * It waits for a patch at most its grace, twice.
   */
  async close(): Promise<void> {
    this.#shut();
    await this.#maintenance.ended();
    await this.#metadata?.leaveAll();
    this.#leaveDirectory();
  }

  /** Like `close`, without waiting for the patch workers to end. */
  [Symbol.dispose](): void {
    this.#shut();
    void this.#metadata?.leaveAll();
    this.#leaveDirectory();
  }

  /** Like `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #shut(): void {
    if (this.#vms.closed) return;
    this.#maintenance.stop('The host was closed during the maintenance');
    this.#vms.close();
    this.#journal.tell({ type: 'host-closed' });
  }

  #leaveDirectory(): void {
    this.components.close();
    if (this.#ownsDirectory) rmSync(this.directory, { recursive: true, force: true });
  }
}

/** What a VM that began at a snapshot is when it is restarted: its program from the first step on. */
const bootOf = ({ program, params, ramBytes, seed }: VmSnapshot, name: string, pageStore: NativePageStore) => ({
  ...{ name, program, params: { ...params }, ramBytes, seed, pageStore },
  dutyCycle: 1,
  prefault: false,
});
