import { isStandstillError, messageOf } from '../base/errors.js';
import type { ProcessMemoryImage } from '../process/memory-image.js';
import type { ProcessVm } from '../process/process-vm.js';
import { hex64, type MemoryProof, type Proof, UNPROVEN } from './proof.js';
import type { Prover } from './prover.js';

/**
 * Reads the memory of a frozen process, and where its tasks stand, twice inside the freeze: its writes are not marked, and
 * which of its pages are there is known only by looking at all of them, so that it can neither be deferred nor sampled.
 */
export class ProcessProver implements Prover {
  readonly how: Proof;
  readonly #vm: ProcessVm;
  readonly #stop: AbortSignal;
  /** At the halt, and at the release. */
  readonly #images: ProcessMemoryImage[] = [];
  #isStarted = true;
  #unprovenReason: string | null = null;

  constructor(vm: ProcessVm, proof: Proof, stop: AbortSignal) {
    this.#vm = vm;
    this.how = proof === 'none' ? 'none' : 'full';
    this.#stop = stop;
  }

  get releaseShare(): number {
    return this.how === 'none' ? 0 : 1;
  }

  async prepare(): Promise<void> {}

  async atHalt(): Promise<void> {
    this.#isStarted = this.#vm.state !== 'created';
    await this.#read();
  }

  async atRelease(): Promise<void> {
    if (this.#images.length > 0) await this.#read();
  }

  async afterRelease(): Promise<void> {}

  proof(): MemoryProof {
    // One that was not started has no memory yet.
    if (!this.#isStarted && this.how !== 'none') return { ...UNPROVEN, memory: 'preserved' };
    const [before, after] = this.#images;
    const difference = before === undefined || after === undefined ? null : before.compare(after);
    const verdict = difference === null ? 'preserved' : 'changed';
    return {
      ...UNPROVEN,
      memory: after === undefined ? 'unproven' : verdict,
      digestBefore: before === undefined ? null : hex64(before.info.digest),
      digestAfter: after === undefined ? null : hex64(after.info.digest),
      bytesRead: after?.info.bytesRead ?? 0,
      bytesReadInFreeze: this.#images.reduce((sum, { info }) => sum + info.bytesRead, 0),
      difference,
      unprovenReason: after === undefined ? this.#unprovenReason : null,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** A guest that was thawed, that ended, or whose memory nobody may read leaves it unproven; that is no failure. */
  async #read(): Promise<void> {
    if (this.how === 'none' || !this.#isStarted) return;
    try {
      this.#images.push(await this.#vm.memoryImage({ signal: this.#stop }));
    } catch (error) {
      this.#stop.throwIfAborted();
      const isUnproven =
        isStandstillError(error, 'ERR_LEASE_REVOKED') ||
        isStandstillError(error, 'ERR_VM_NOT_PAUSED') ||
        isStandstillError(error, 'ERR_PROCESS_UNREADABLE') ||
        isStandstillError(error, 'ERR_SUPERVISOR_LOST') ||
        isStandstillError(error, 'ERR_VM_CLOSED');
      if (!isUnproven) throw error;
      this.#unprovenReason = messageOf(error);
    }
  }
}
