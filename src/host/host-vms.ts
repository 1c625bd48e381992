import { StandstillError, show } from '../base/errors.js';
import type { NativeVmConfig } from '../native/contract.js';
import { ProcessVm } from '../process/process-vm.js';
import { EmulatedVm, vmObserver } from '../vm/emulated-vm.js';
import { assertFitsMachine } from '../vm/options.js';
import type { Vm } from '../vm/vm.js';
import type { HostJournal } from './journal.js';
import type { HostMetadata } from './metadata.js';

/** A VM of any kind of guest. */
export type HostVm = EmulatedVm | ProcessVm;

/** What the host answers for: a name, and the memory that the VM is sure to have. */
export interface Planned {
  readonly name: string;
  /** 0 for a clone, whose memory is its snapshot's until it writes, and for a process. */
  readonly ramBytes: number;
  /** No maintenance pauses or restarts it. */
  readonly pinned: boolean;
  /** How an emulated guest is created anew when it is restarted. */
  readonly boot?: NativeVmConfig;
}

/** The VMs of a host: which there are, which may join them, and which of them a call means. */
export class HostVms {
  readonly #journal: HostJournal;
  readonly #metadata: HostMetadata | undefined;
  readonly #vms = new Map<HostVm, Planned>();
  readonly #inCreation = new Set<Planned>();
  #names = 0;
  #closed = false;

  constructor(journal: HostJournal, metadata: HostMetadata | undefined) {
    this.#journal = journal;
    this.#metadata = metadata;
  }

  /** Those that are not closed, in the order of their creation. */
  open(): HostVm[] {
    for (const vm of this.#vms.keys()) {
      if (vm.state === 'closed') this.#vms.delete(vm);
    }
    return [...this.#vms.keys()];
  }

  /** What was planned for a VM that is there. */
  plannedOf(vm: HostVm): Planned | undefined {
    return this.#vms.get(vm);
  }

  /** The VMs that a call names, or all. Throws ERR_INVALID_OPTION and ERR_VM_CLOSED. */
  chosen(vms: readonly Vm[] | undefined, what: string): HostVm[] {
    const chosen = vms === undefined ? this.open() : vms.map((vm) => this.#own(vm, what));
    if (chosen.length > 0 && new Set(chosen).size === chosen.length) return chosen;
    const received = chosen.length === 0 ? 'none' : 'one twice';
    throw new StandstillError('ERR_INVALID_OPTION', `Expected VMs, each once, for ${what} but received ${received}`);
  }

  /** A name that no VM has, made of its program's. */
  freeName(program: string): string {
    const taken = new Set(this.#present().map(({ name }) => name));
    do this.#names += 1;
    while (taken.has(`${program}-${this.#names}`));
    return `${program}-${this.#names}`;
  }

  /** Creates a VM of this host, if there is room for it and its name is free. Without its metadata service it is none. */
  async admit<T extends HostVm>(planned: Planned, create: () => Promise<T>): Promise<T> {
    this.#assertRoomFor(planned);
    this.#inCreation.add(planned);
    let vm: T | undefined;
    try {
      vm = await create();
      this.assertOpen();
      this.#vms.set(vm, planned);
      const { name, program, ramBytes } = vm;
      this.#journal.tell({ type: 'vm-created', vm: name, program, ramBytes });
      vm[vmObserver] = (event) => this.#journal.tell(event);
      if (vm instanceof EmulatedVm && planned.boot !== undefined) {
        await this.#metadata?.join({ vm, boot: planned.boot });
        this.assertOpen();
      }
      return vm;
    } catch (error) {
      vm?.close();
      await this.#metadata?.leave(planned);
      throw error;
    } finally {
      this.#inCreation.delete(planned);
    }
  }

  /** Throws ERR_HOST_CLOSED. */
  assertOpen(): void {
    if (this.#closed) throw new StandstillError('ERR_HOST_CLOSED', 'Expected an open host but it is closed');
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Closes all of them; from now on none is admitted. */
  close(): void {
    this.#closed = true;
    for (const vm of this.#vms.keys()) vm.close();
    this.#vms.clear();
  }

  #own(vm: Vm, what: string): HostVm {
    const isOurs = vm instanceof EmulatedVm || vm instanceof ProcessVm;
    if (isOurs && vm.state === 'closed') {
      throw new StandstillError('ERR_VM_CLOSED', `Expected open VMs for ${what} but '${vm.name}' is closed`);
    }
    if (isOurs && this.#vms.has(vm)) return vm;
    const message = `Expected VMs of this host for ${what} but received ${show(vm?.name ?? vm)}`;
    throw new StandstillError('ERR_INVALID_OPTION', message);
  }

  /** What is there or about to be. */
  #present(): Planned[] {
    return [...this.open().flatMap((vm) => this.#vms.get(vm) ?? []), ...this.#inCreation];
  }

  #assertRoomFor(planned: Planned): void {
    const present = this.#present();
    if (present.some(({ name }) => name === planned.name)) {
      const message = `Expected a name that no VM of this host has but received ${show(planned.name)}`;
      throw new StandstillError('ERR_INVALID_OPTION', message);
    }
    const totalBytes = present.reduce((sum, { ramBytes }) => sum + ramBytes, planned.ramBytes);
    assertFitsMachine(totalBytes, 'the RAM of all VMs of a host');
  }
}
