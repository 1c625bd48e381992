import { isStandstillError } from '../base/errors.js';
import { PAGE_BYTES } from '../base/units.js';
import { addon } from '../native/addon.js';
import type { NativeProof, NativeProofResult } from '../native/contract.js';
import { watched } from '../native/watched.js';
import { type EmulatedVm, nativeHandle } from '../vm/emulated-vm.js';
import type { MemoryDigest } from '../vm/vm.js';
import type { MaintenancePlan } from './options.js';
import { compareDigests, digestOptions, hex64, type MemoryProof, UNPROVEN } from './proof.js';

/** How memory is proved over a freeze. One object a maintenance; its methods are called in this order, each once. */
export interface Prover extends AsyncDisposable {
  /** While the guests still run. */
  prepare(): Promise<void>;
  /** In the freeze, before anything is done to the host. */
  atHalt(): Promise<void>;
  /** In the freeze, as the last act before the release; left out where there is no time for it. */
  atRelease(): Promise<void>;
  /** What `atRelease` takes of the freeze, as a multiple of `atHalt`. */
  readonly releaseShare: number;
  /** Behind the running guests. */
  afterRelease(): Promise<void>;
  /** One entry a VM, in the order of the plan's targets. */
  proofs(): MemoryProof[];
}

export function proverOf(plan: MaintenancePlan, stop: AbortSignal): Prover {
  if (plan.proof === 'deferred') return new DeferredProver(plan, stop);
  return new InFreezeProver(plan);
}

/** Reads memory twice inside the freeze: all of it, a share, or nothing. */
class InFreezeProver implements Prover {
  readonly #plan: MaintenancePlan;
  #opening: readonly (MemoryDigest | undefined)[] = [];
  #closing: readonly (MemoryDigest | undefined)[] = [];

  constructor(plan: MaintenancePlan) {
    this.#plan = plan;
  }

  get releaseShare(): number {
    return this.#plan.proof === 'none' ? 0 : 1;
  }

  async prepare(): Promise<void> {}

  async atHalt(): Promise<void> {
    if (this.#plan.proof !== 'none') this.#opening = await this.#digestAll();
  }

  async atRelease(): Promise<void> {
    if (this.#plan.proof !== 'none') this.#closing = await this.#digestAll();
  }

  async afterRelease(): Promise<void> {}

  proofs(): MemoryProof[] {
    return this.#plan.targets.map((_, index) => compareDigests(this.#opening[index], this.#closing[index]));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #digestAll(): Promise<readonly (MemoryDigest | undefined)[]> {
    const options = digestOptions(this.#plan);
    return Promise.all(this.#plan.targets.map((vm) => vm.digest(options).catch(discardIfReleased)));
  }
}

interface Deferred {
  readonly vm: EmulatedVm;
  readonly native: NativeProof;
  /** Undefined where the guest was released before it was read. */
  pagesReadInFreeze?: number | undefined;
  result?: NativeProofResult | undefined;
}

/** Reads inside the freeze only the pages that were written last, and all of memory behind the running guests. */
class DeferredProver implements Prover {
  readonly releaseShare = 0;
  readonly #plan: MaintenancePlan;
  readonly #stop: AbortSignal;
  #proofs: Deferred[] = [];

  constructor(plan: MaintenancePlan, stop: AbortSignal) {
    this.#plan = plan;
    this.#stop = stop;
  }

  async prepare(): Promise<void> {
    const begun = await Promise.allSettled(
      this.#plan.targets.map(async (vm) => ({
        vm,
        native: await watched({ signal: this.#stop }, 'maintenance', (progress) =>
          addon.prepareProof(vm[nativeHandle], progress),
        ),
      })),
    );
    this.#proofs = begun.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    for (const each of begun) {
      if (each.status === 'rejected') throw each.reason;
    }
  }

  async atHalt(): Promise<void> {
    await this.#each(async (proof) => {
      proof.pagesReadInFreeze = await proof.native.atHalt();
    });
  }

  async atRelease(): Promise<void> {}

  async afterRelease(): Promise<void> {
    await this.#each(async (proof) => {
      if (proof.pagesReadInFreeze === undefined) return;
      proof.result = await watched({ signal: this.#stop }, 'maintenance', (progress) => proof.native.finish(progress));
    });
  }

  proofs(): MemoryProof[] {
    return this.#proofs.map(({ result, pagesReadInFreeze = 0 }) => {
      if (result === undefined) return UNPROVEN;
      const { pagesChanged, firstChangedPage } = result;
      return {
        memory: pagesChanged === 0 && result.digestBefore === result.digestAfter ? 'preserved' : 'changed',
        digestBefore: hex64(result.digestBefore),
        digestAfter: hex64(result.digestAfter),
        bytesRead: result.bytesRead,
        bytesReadInFreeze: pagesReadInFreeze * PAGE_BYTES,
        changedPages:
          pagesChanged === 0
            ? null
            : { count: pagesChanged, firstPage: firstChangedPage, firstGpa: firstChangedPage * PAGE_BYTES },
      };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#proofs.map(({ native }) => native.close()));
  }

  async #each(act: (proof: Deferred) => Promise<void>): Promise<void> {
    await Promise.all(this.#proofs.map((proof) => act(proof).catch(discardIfReleased)));
  }
}

/**
 * A guest that was released, or closed, while its memory was read leaves memory unproven; that is no failure. Nor is it
 * one of the maintenance that a guest's memory was lost with its file: it is unproven, and the guest faulted.
 */
function discardIfReleased(error: unknown): undefined {
  const released =
    isStandstillError(error, 'ERR_LEASE_REVOKED') ||
    isStandstillError(error, 'ERR_MEMORY_LOST') ||
    isStandstillError(error, 'ERR_VM_NOT_PAUSED') ||
    isStandstillError(error, 'ERR_VM_CLOSED');
  if (!released) throw error;
}
