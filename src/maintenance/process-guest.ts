import { monotonicNs } from '../base/clock.js';
import { messageOf } from '../base/errors.js';
import { describeEnding } from '../process/guest.js';
import type { ProcessVm } from '../process/process-vm.js';
import type { Inspected, InspectionTerms, MaintainedGuest, Measured } from './guest.js';
import { ProcessProver } from './process-prover.js';
import type { ProofTerms } from './proof.js';
import type { Prover } from './prover.js';
import type { Bootable, Down } from './reboot.js';
import type { ProcessReport } from './report.js';

const LOG_LINES = 20;

/** A real program, under maintenance. */
export class MaintainedProcess implements MaintainedGuest {
  readonly vm: ProcessVm;
  #generationId: string | undefined;
  #isRestarted = false;

  constructor(vm: ProcessVm) {
    this.vm = vm;
  }

  prover({ proof }: ProofTerms, stop: AbortSignal): Prover {
    return new ProcessProver(this.vm, proof, stop);
  }

  async observe(): Promise<void> {
    this.#generationId = this.vm.generationId;
  }

  async inspect(_terms: InspectionTerms, stop: AbortSignal): Promise<Inspected> {
    const unready = this.#isRestarted ? await this.#whyNotReady(stop) : null;
    if (this.vm.state === 'closed') return { check: undefined, ticker: null, problem: null, process: null };
    const process = reportOf(this.vm);
    return { check: undefined, ticker: null, problem: unready ?? this.#problemOf(process), process };
  }

  /** A process counts no steps, and its clock is the host's. */
  measured(): Measured {
    return NOTHING;
  }

  async bootable(): Promise<Bootable> {
    const { name, shutDown } = bootableProcess(this.vm);
    return {
      name,
      shutDown: async (timeoutMs) => {
        this.#isRestarted = true;
        return await shutDown(timeoutMs);
      },
    };
  }

  #problemOf({ ending, outsideGroup }: ProcessReport): string | null {
    if (ending !== null) return `its process ${describeEnding(ending)}`;
    if (!this.#isRestarted && this.vm.generationId !== this.#generationId) {
      return 'its process ended in the maintenance and was started again';
    }
    if (outsideGroup === 0) return null;
    return `${outsideGroup} of its descendants were moved out of the group, and ran on`;
  }

  /** One that was restarted is waited for, as long as its options say. */
  async #whyNotReady(signal: AbortSignal): Promise<string | null> {
    if (this.vm.state !== 'running') return null;
    try {
      await this.vm.ready({ signal });
      return null;
    } catch (error) {
      signal.throwIfAborted();
      return messageOf(error);
    }
  }
}

const NOTHING: Measured = {
  stepsBefore: null,
  stepsAfter: null,
  clockLagBeforeNs: null,
  clockLagAfterNs: null,
  clockBracketNs: null,
  syncedBy: null,
};

function reportOf(vm: ProcessVm): ProcessReport {
  const { pid, processes, threads, daemonised, outsideGroup, restarts, ending } = vm.stats();
  return {
    ...{ freezer: vm.freezer, pid, processes, threads, daemonised, outsideGroup, restarts, ending },
    log: vm.logTail(LOG_LINES),
  };
}

/** Ended with SIGTERM, or with SIGKILL after its grace, and started again. */
export const bootableProcess = (vm: ProcessVm): Bootable => ({
  name: vm.name,
  async shutDown() {
    const { state } = vm;
    const wasRunning = state === 'running';
    const requestedAtNs = monotonicNs();
    await vm.shutDown();
    const restart = async (isWoken: boolean) => {
      if (vm.state === 'closed' || (!isWoken && state !== 'running' && state !== 'paused')) return;
      vm.start();
      if (!isWoken && state === 'paused') vm.pause();
    };
    const undo = () => restart(false);
    return { name: vm.name, wasRunning, requestedAtNs, haltedAtNs: monotonicNs(), restart, undo } satisfies Down;
  },
});
