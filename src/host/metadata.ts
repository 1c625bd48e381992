import { setTimeout as sleep } from 'node:timers/promises';
import { bootableEmulated } from '../maintenance/emulated-guest.js';
import type { FreezeScope, ImpactJournal } from '../maintenance/freeze-scope.js';
import type { ImpactNotifier } from '../maintenance/notifier.js';
import { bootableProcess } from '../maintenance/process-guest.js';
import { type Bootable, restart } from '../maintenance/reboot.js';
import type { NativeVmConfig } from '../native/contract.js';
import { type ProcessVm, processGuest } from '../process/process-vm.js';
import type { MetadataEvent } from '../scheduled-events/events.js';
import type { GuestImpacts } from '../scheduled-events/impacts.js';
import type { MetadataServer } from '../scheduled-events/metadata-server.js';
import { bootSnapshot } from '../vm/boot.js';
import { type EmulatedVm, HANDSHAKE_TIMEOUT_MS_DEFAULT, vmMetadataUrl } from '../vm/emulated-vm.js';
import type { FreezableVm } from '../vm/guest-kind.js';
import type { Vm } from '../vm/vm.js';

/**
 * A guest stands still for the duration of its event from its halt on. Where JavaScript is blocked at the end of it, a
 * native timer resumes the guest so much later.
 */
const BACKSTOP_MS = 1000;

/** A VM that joins, and how it is made anew at a restart. */
export interface Joining {
  readonly vm: EmulatedVm;
  readonly boot: NativeVmConfig;
}

/** A process that is about to be made: its environment names its server. */
export interface JoiningProcess {
  readonly name: string;
  /** Once it is made. */
  readonly vm: () => ProcessVm | undefined;
}

type Member = Pick<Vm, 'name' | 'state'>;

/** What a host is to its metadata service. */
export interface MetadataAround {
  /** Freezes a VM, at most for the budget. */
  readonly freeze: (vm: FreezableVm, budgetMs: number) => FreezeScope;
  /** Where restarts are written down. */
  readonly journal: ImpactJournal;
  /** Called with what happens to its VMs there. */
  readonly tell: (event: MetadataEvent) => void;
  /** Null: none. */
  readonly updateDomain: number | null;
  readonly faultDomain: number | null;
}

/** A host's side of a metadata server: its VMs join it, and what their events do to them is done here. */
export class HostMetadata {
  readonly #server: MetadataServer;
  readonly #around: MetadataAround;
  readonly #instance: { platformUpdateDomain: string; platformFaultDomain: string };
  readonly #joined = new Map<string, Member>();
  /** The present events that hit VMs of this host. */
  readonly #eventIds = new Set<string>();
  readonly #log: Disposable;

  constructor(server: MetadataServer, around: MetadataAround) {
    this.#server = server;
    this.#around = around;
    const { updateDomain, faultDomain, tell } = around;
    this.#instance = {
      platformUpdateDomain: updateDomain === null ? '' : String(updateDomain),
      platformFaultDomain: faultDomain === null ? '' : String(faultDomain),
    };
    this.#log = server.log.subscribe(({ seq: _seq, atNs: _atNs, wallTimeMs: _wallTimeMs, ...event }) => {
      if (this.#concerns(event)) tell(event);
    });
  }

  /** Rejects as `MetadataServer.addVm` does. */
  async join({ vm, boot }: Joining): Promise<void> {
    vm[vmMetadataUrl] = await this.#add(vm, {
      freeze: (durationMs, ending) => this.#standStill(vm, durationMs, ending),
      restart: async (downMs, ending) =>
        await this.#restart(bootableEmulated(vm, await bootSnapshot(boot)), downMs, ending),
      end: () => vm.close(),
    });
  }

  /** The URL of its server. Rejects as `MetadataServer.addVm` does. */
  async joinProcess({ name, vm }: JoiningProcess): Promise<string> {
    const member = {
      name,
      get state() {
        return vm()?.state ?? 'created';
      },
    };
    return await this.#add(member, {
      freeze: async (durationMs, ending) => {
        const process = vm();
        if (process !== undefined) await this.#standStill(process, durationMs, ending);
      },
      restart: async (downMs, ending) => {
        const process = vm();
        if (process !== undefined) await this.#restart(bootableProcess(process), downMs, ending);
      },
      end: () => vm()?.close(),
    });
  }

  /** In a network of the guest's own, its server is where it would be in the cloud. Rejects with ERR_NETWORK_UNAVAILABLE, ERR_LISTEN_FAILED. */
  async serveOwnNetwork(vm: ProcessVm): Promise<void> {
    const socket = vm[processGuest].metadataSocket();
    if (socket !== undefined) await this.#server.serveAt(vm.name, socket);
  }

  /** Closes a VM's server. */
  async leave({ name }: { readonly name: string }): Promise<void> {
    if (this.#joined.delete(name)) await this.#server.removeVm(name);
  }

  /** Closes the servers of all VMs of this host. */
  async leaveAll(): Promise<void> {
    this.#log[Symbol.dispose]();
    await Promise.all([...this.#joined.values()].map((vm) => this.leave(vm)));
  }

  /** Tells guests of a maintenance: a Freeze for each pause, a Reboot for each loss of memory. */
  readonly notifier: ImpactNotifier = {
    announce: ({ vms, impact, expectedSeconds, description }) =>
      this.#server.announce({
        type: impact === 'pause' ? 'Freeze' : 'Reboot',
        vms,
        durationSeconds: expectedSeconds ?? -1,
        description,
      }),
  };

  /** Whether it is of this host's VMs; an event without one is none of this host's, whoever sees it. */
  #concerns(event: MetadataEvent): boolean {
    if ('event' in event) {
      const { id, resources } = event.event;
      if (resources.some((name) => this.#joined.has(name))) this.#eventIds.add(id);
      return this.#eventIds.has(id);
    }
    if (!('eventId' in event)) return this.#joined.has(event.vm);
    const isOurs = this.#eventIds.has(event.eventId);
    if (event.type === 'event-removed') this.#eventIds.delete(event.eventId);
    return isOurs;
  }

  /** The server of a closed VM stays while an event names it, so that a client outside sees its end. */
  async #leaveClosed(wanted: string): Promise<void> {
    const named = new Set(this.#server.state().events.flatMap(({ resources }) => resources));
    for (const [name, vm] of [...this.#joined]) {
      if (vm.state === 'closed' && (!named.has(name) || name === wanted)) await this.leave(vm);
    }
  }

  async #add(member: Member, impacts: GuestImpacts): Promise<string> {
    await this.#leaveClosed(member.name);
    const url = await this.#server.addVm({ name: member.name, instance: this.#instance, impacts });
    this.#joined.set(member.name, member);
    return url;
  }

  async #standStill(vm: FreezableVm, durationMs: number, ending: AbortSignal): Promise<void> {
    if (durationMs === 0) return;
    await using _scope = this.#around.freeze(vm, durationMs + BACKSTOP_MS);
    await sleep(durationMs, undefined, { signal: ending }).catch(() => {});
  }

  /** It comes up whatever its state was: paused, faulted or not started. */
  async #restart(vm: Bootable, downMs: number, ending: AbortSignal): Promise<void> {
    const down = await vm.shutDown(HANDSHAKE_TIMEOUT_MS_DEFAULT);
    await sleep(downMs, undefined, { signal: ending }).catch(() => {});
    await restart(down, (records) => this.#around.journal('restart', records), true);
  }
}
