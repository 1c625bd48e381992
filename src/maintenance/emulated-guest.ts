import { monotonicNs } from '../base/clock.js';
import { NS_PER_MS } from '../base/units.js';
import type { VmSnapshot } from '../snapshot/snapshot.js';
import { type EmulatedVm, nativeHandle } from '../vm/emulated-vm.js';
import { inspectAfterResume } from './after-resume.js';
import { emulatedProver } from './emulated-prover.js';
import type { FreezeRecord } from './freeze-scope.js';
import type { Inspected, InspectionTerms, MaintainedGuest, Measured } from './guest.js';
import type { ProofTerms } from './proof.js';
import type { Prover } from './prover.js';
import type { Bootable, Down } from './reboot.js';
import { type TickerBaseline, tickerBaseline } from './ticker-impact.js';

/** A VM of the engine, under maintenance. */
export class MaintainedEmulated implements MaintainedGuest {
  readonly vm: EmulatedVm;
  readonly #boot: () => Promise<VmSnapshot>;
  #baseline: TickerBaseline | undefined;

  /** `boot`: the state in which it boots. */
  constructor(vm: EmulatedVm, boot: () => Promise<VmSnapshot>) {
    this.vm = vm;
    this.#boot = boot;
  }

  prover(terms: ProofTerms, stop: AbortSignal): Prover {
    return emulatedProver(this.vm, terms, stop);
  }

  async observe(): Promise<void> {
    this.#baseline = await tickerBaseline(this.vm);
  }

  async inspect(terms: InspectionTerms, stop: AbortSignal): Promise<Inspected> {
    return await inspectAfterResume(this.vm, this.#baseline, terms, stop);
  }

  measured(record: FreezeRecord | undefined): Measured {
    if (record === undefined) return RESTARTED;
    const { stepsAtHalt, stepsAtRelease, clockLagBeforeNs, clockLagAfterNs, clockBracketNs, syncedBy } = record;
    const steps = { stepsBefore: stepsAtHalt, stepsAfter: stepsAtRelease };
    return { ...steps, clockLagBeforeNs, clockLagAfterNs, clockBracketNs, syncedBy };
  }

  async bootable(): Promise<Bootable> {
    return bootableEmulated(this.vm, await this.#boot());
  }
}

const RESTARTED: Measured = {
  stepsBefore: 0,
  stepsAfter: 0,
  clockLagBeforeNs: 0,
  clockLagAfterNs: 0,
  clockBracketNs: 0,
  syncedBy: 'step',
};

/** Restarted by a rollback to `boot`, the state in which it boots. */
export const bootableEmulated = (vm: EmulatedVm, boot: VmSnapshot): Bootable => ({
  name: vm.name,
  async shutDown(timeoutMs) {
    const wasRunning = vm.state === 'running' || vm.state === 'idle';
    const requestedAtNs = monotonicNs();
    // Not by the VM's own `pause`, which tells the log that its user has paused it.
    const { haltNs } = vm[nativeHandle].pause(timeoutMs * NS_PER_MS);
    const haltedAtNs = requestedAtNs + BigInt(Math.round(haltNs));
    return {
      ...{ name: vm.name, wasRunning, requestedAtNs, haltedAtNs },
      async restart(isWoken) {
        if (vm.state === 'closed') return;
        await vm.rollback(boot);
        if (wasRunning) vm[nativeHandle].resume();
        else if (isWoken) vm.resume();
      },
      async undo() {
        if (wasRunning) vm[nativeHandle].resume();
      },
    } satisfies Down;
  },
});
