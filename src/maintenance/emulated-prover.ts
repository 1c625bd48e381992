import { isStandstillError } from '../base/errors.js';
import { PAGE_BYTES } from '../base/units.js';
import { addon } from '../native/addon.js';
import type { NativeProof, NativeProofResult } from '../native/contract.js';
import { watched } from '../native/watched.js';
import type { VmSnapshot } from '../snapshot/snapshot.js';
import { type EmulatedVm, nativeHandle } from '../vm/emulated-vm.js';
import type { MemoryDigest } from '../vm/vm.js';
import {
  type ChangedBytes,
  changedBytes,
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
  #kept: VmSnapshot | undefined;
  #bytes: ChangedBytes | null = null;

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
    if (this.#terms.keepBytes && this.#opening !== undefined) this.#kept = await this.#keep();
  }

  async atRelease(): Promise<void> {
    this.#closing = await this.#digest();
    const { changedPages } = compareDigests(this.#opening, this.#closing);
    if (changedPages !== null) this.#bytes = this.#bytesAt(changedPages.firstGpa);
  }

  async afterRelease(): Promise<void> {}

  proof(): MemoryProof {
    const proof = compareDigests(this.#opening, this.#closing);
    const { changedPages } = proof;
    return changedPages === null ? proof : { ...proof, changedPages: { ...changedPages, bytes: this.#bytes } };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Where there is no room for it, or another snapshot is being taken, the proof goes without. */
  async #keep(): Promise<VmSnapshot | undefined> {
    return await this.#vm.snapshot().catch((error) => {
      const isWithout =
        isStandstillError(error, 'ERR_BUSY') ||
        isStandstillError(error, 'ERR_SNAPSHOT_LIMIT') ||
        isStandstillError(error, 'ERR_OUT_OF_MEMORY');
      return isWithout ? undefined : discardIfReleased(error);
    });
  }

  #bytesAt(pageGpa: number): ChangedBytes | null {
    if (this.#kept === undefined) return null;
    try {
      return changedBytes(pageGpa, this.#kept.read(pageGpa, PAGE_BYTES), this.#vm.read(pageGpa, PAGE_BYTES));
    } catch (error) {
      return discardIfReleased(error) ?? null;
    }
  }

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
          : { count: pagesChanged, firstPage: firstChangedPage, firstGpa: firstChangedPage * PAGE_BYTES, bytes: null },
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
