import { setTimeout as sleep } from 'node:timers/promises';
import type { FreezeScope } from '../maintenance/freeze-scope.js';
import type { ImpactNotifier } from '../maintenance/notifier.js';
import type { NativeVmConfig } from '../native/contract.js';
import type { GuestImpacts } from '../scheduled-events/impacts.js';
import type { MetadataServer } from '../scheduled-events/metadata-server.js';
import { bootSnapshot } from '../vm/boot.js';
import { type EmulatedVm, vmMetadataUrl } from '../vm/emulated-vm.js';

/**
 * A guest stands still for the duration of its event from its halt on. Where JavaScript is blocked at the end of it, the
 * engine's own timer resumes the guest so much later.
 */
const BACKSTOP_MS = 1000;

/** A VM that joins, and how it is made anew at a restart. */
export interface Joining {
  readonly vm: EmulatedVm;
  readonly boot: NativeVmConfig;
  /** The update domain of its host; null: none. */
  readonly updateDomain: number | null;
}

/** A host's side of a metadata server: its VMs join it, and what their events do to them is done here. */
export class HostMetadata {
  readonly #server: MetadataServer;
  readonly #freeze: (vm: EmulatedVm, budgetMs: number) => FreezeScope;
  readonly #joined = new Map<string, EmulatedVm>();

  constructor(server: MetadataServer, freeze: (vm: EmulatedVm, budgetMs: number) => FreezeScope) {
    this.#server = server;
    this.#freeze = freeze;
  }

  /** Rejects as `MetadataServer.addVm` does. */
  async join({ vm, boot, updateDomain }: Joining): Promise<void> {
    await this.#leaveClosed(vm.name);
    const instance = updateDomain === null ? {} : { platformUpdateDomain: String(updateDomain) };
    vm[vmMetadataUrl] = await this.#server.addVm({ name: vm.name, instance, impacts: this.#impactsOn(vm, boot) });
    this.#joined.set(vm.name, vm);
  }

  /** Closes a VM's server. */
  async leave({ name }: EmulatedVm): Promise<void> {
    if (this.#joined.delete(name)) await this.#server.removeVm(name);
  }

  /** Closes the servers of all VMs of this host. */
  async leaveAll(): Promise<void> {
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

  /** The server of a closed VM stays while an event names it, so that a client outside sees its end. */
  async #leaveClosed(wanted: string): Promise<void> {
    const named = new Set(this.#server.state().events.flatMap(({ resources }) => resources));
    for (const [name, vm] of [...this.#joined]) {
      if (vm.state === 'closed' && (!named.has(name) || name === wanted)) await this.leave(vm);
    }
  }

  #impactsOn(vm: EmulatedVm, boot: NativeVmConfig): GuestImpacts {
    return {
      freeze: async (durationMs, ending) => {
        if (durationMs === 0) return;
        await using _scope = this.#freeze(vm, durationMs + BACKSTOP_MS);
        await sleep(durationMs, undefined, { signal: ending }).catch(() => {});
      },
      restart: async (downMs, ending) => {
        vm.pause();
        await sleep(downMs, undefined, { signal: ending }).catch(() => {});
        await startAnew(vm, boot);
      },
      end: () => vm.close(),
    };
  }
}

/** Gives a halted VM the RAM and registers that it was created with, and lets it run. */
async function startAnew(vm: EmulatedVm, boot: NativeVmConfig): Promise<void> {
  await vm.rollback(await bootSnapshot(boot));
  vm.resume();
}
