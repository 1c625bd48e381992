import { isStandstillError } from '../base/errors.js';
import { PAGE_BYTES } from '../base/units.js';
import { addon } from '../native/addon.js';
import type { NativeProof, NativeProofResult } from '../native/contract.js';
import { watched } from '../native/watched.js';
import { type EmulatedVm, nativeHandle } from '../vm/emulated-vm.js';
import type { MemoryDigest } from '../vm/vm.js';
import {
  compareDigests,
  digestOptions,
  hex64,
  type MemoryProof,
  type Proof,
  type ProofTerms,
  UNPROVEN,
} from './proof.js';
import type { Prover } from './prover.js';

export function emulatedProver(vm: EmulatedVm, terms: ProofTerms, stop: AbortSignal): Prover {
  return terms.proof === 'deferred' ? new DeferredProver(vm, stop) : new InFreezeProver(vm, terms);
}

/** Reads memory twice inside the freeze: all of it, a share, or nothing. */
class InFreezeProver implements Prover {
  readonly #vm: EmulatedVm;
  readonly #terms: ProofTerms;
  #opening: MemoryDigest | undefined;
  #closing: MemoryDigest | undefined;

  constructor(vm: EmulatedVm, terms: ProofTerms) {
    this.#vm = vm;
    this.#terms = terms;
  }

  get how(): Proof {
    return this.#terms.proof;
  }

  get releaseShare(): number {
    return this.how === 'none' ? 0 : 1;
  }

  async prepare(): Promise<void> {}

  async atHalt(): Promise<void> {
    this.#opening = await this.#digest();
  }

  async atRelease(): Promise<void> {
    this.#closing = await this.#digest();
  }

  async afterRelease(): Promise<void> {}

  proof(): MemoryProof {
    return compareDigests(this.#opening, this.#closing);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #digest(): Promise<MemoryDigest | undefined> {
    if (this.how === 'none') return undefined;
    return await this.#vm.digest(digestOptions(this.#terms)).catch(discardIfReleased);
  }
}

/** Reads inside the freeze only the pages that were written last, and all of memory behind the running guest. */
class DeferredProver implements Prover {
  readonly how = 'deferred';
  readonly releaseShare = 0;
  readonly #vm: EmulatedVm;
  readonly #stop: AbortSignal;
  #native: NativeProof | undefined;
  /** Undefined where the guest was released before it was read. */
  #pagesReadInFreeze: number | undefined;
  #result: NativeProofResult | undefined;

  constructor(vm: EmulatedVm, stop: AbortSignal) {
    this.#vm = vm;
    this.#stop = stop;
  }

  async prepare(): Promise<void> {
    this.#native = await watched({ signal: this.#stop }, 'maintenance', (progress) =>
      addon.prepareProof(this.#vm[nativeHandle], progress),
    );
  }

  async atHalt(): Promise<void> {
    this.#pagesReadInFreeze = await this.#native?.atHalt().catch(discardIfReleased);
  }

  async atRelease(): Promise<void> {}

  async afterRelease(): Promise<void> {
    const native = this.#native;
    if (native === undefined || this.#pagesReadInFreeze === undefined) return;
    const finished = watched({ signal: this.#stop }, 'maintenance', (progress) => native.finish(progress));
    this.#result = await finished.catch(discardIfReleased);
  }

  proof(): MemoryProof {
    if (this.#result === undefined) return UNPROVEN;
    const { pagesChanged, firstChangedPage, digestBefore, digestAfter, bytesRead } = this.#result;
    return {
      ...UNPROVEN,
      memory: pagesChanged === 0 && digestBefore === digestAfter ? 'preserved' : 'changed',
      digestBefore: hex64(digestBefore),
      digestAfter: hex64(digestAfter),
      bytesRead,
      bytesReadInFreeze: (this.#pagesReadInFreeze ?? 0) * PAGE_BYTES,
      changedPages:
        pagesChanged === 0
          ? null
          : { count: pagesChanged, firstPage: firstChangedPage, firstGpa: firstChangedPage * PAGE_BYTES },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#native?.close();
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
