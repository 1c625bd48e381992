import type { MemoryProof, Proof } from './proof.js';

/** How the memory of one guest is proved over a freeze. Its methods are called in this order, each once. */
export interface Prover extends AsyncDisposable {
  /** While the guest still runs. */
  prepare(): Promise<void>;
  /** In the freeze, before anything is done to the host. */
  atHalt(): Promise<void>;
  /** In the freeze, as the last act before the release; left out where there is no time for it. */
  atRelease(): Promise<void>;
  /** What `atRelease` takes of the freeze, as a multiple of `atHalt`. */
  readonly releaseShare: number;
  /** Behind the running guest. */
  afterRelease(): Promise<void>;
  /** How it was proved, which is what was asked for or, where that kind of guest has no such proof, more. */
  readonly how: Proof;
  proof(): MemoryProof;
}

/** The provers of all guests of a maintenance. */
export class Provers implements AsyncDisposable {
  readonly #provers: readonly Prover[];

  /** In the order of the guests. */
  constructor(provers: readonly Prover[]) {
    this.#provers = provers;
  }

  async prepare(): Promise<void> {
    // All have begun or failed before the first failure is told: each is to be disposed of.
    const begun = await Promise.allSettled(this.#provers.map((prover) => prover.prepare()));
    for (const each of begun) {
      if (each.status === 'rejected') throw each.reason;
    }
  }

  async atHalt(): Promise<void> {
    await Promise.all(this.#provers.map((prover) => prover.atHalt()));
  }

  async atRelease(): Promise<void> {
    await Promise.all(this.#provers.map((prover) => prover.atRelease()));
  }

  get releaseShare(): number {
    return Math.max(0, ...this.#provers.map(({ releaseShare }) => releaseShare));
  }

  async afterRelease(): Promise<void> {
    await Promise.all(this.#provers.map((prover) => prover.afterRelease()));
  }

  proofs(): { readonly how: Proof; readonly proof: MemoryProof }[] {
    return this.#provers.map((prover) => ({ how: prover.how, proof: prover.proof() }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#provers.map((prover) => prover[Symbol.asyncDispose]()));
  }
}
