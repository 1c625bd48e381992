import { orAborted } from '../base/abort.js';
import { messageOf, StandstillError } from '../base/errors.js';
import { formatNs, NS_PER_MS } from '../base/units.js';
import type { Vm } from '../vm/vm.js';
import type { VmPlace } from './placement.js';
import type { HealthProbe } from './rollout-options.js';

export interface HealthSettings {
  readonly lagMsMax: number;
  readonly probeTimeoutMs: number;
  readonly probe: HealthProbe | undefined;
  readonly signal: AbortSignal;
}

/** What is wrong with a VM whose host has been patched; null where nothing is. It takes the probe's timeout at most. */
export async function healthProblem(vm: Vm, place: VmPlace, settings: HealthSettings): Promise<string | null> {
  const { state, clock } = vm.stats();
  if (state === 'faulted') return 'its guest has faulted';
  const runs = state === 'running' || state === 'idle';
  if (runs && Math.abs(clock.lagNs) > settings.lagMsMax * NS_PER_MS) {
    return `its clock lags by ${formatNs(clock.lagNs)}, more than ${settings.lagMsMax} ms`;
  }
  return settings.probe === undefined ? null : await probeProblem(vm, place, settings.probe, settings);
}

async function probeProblem(
  vm: Vm,
  place: VmPlace,
  probe: HealthProbe,
  { probeTimeoutMs, signal }: HealthSettings,
): Promise<string | null> {
  const timeout = new AbortController();
  const late = new StandstillError('ERR_ABORTED', `its probe did not answer within ${probeTimeoutMs} ms`);
  const timer = setTimeout(() => timeout.abort(late), probeTimeoutMs);
  const either = AbortSignal.any([timeout.signal, signal]);
  try {
    const answer = await orAborted(
      Promise.resolve().then(() => probe(vm, { place, signal: either })),
      either,
    );
    return answer === false ? 'its probe says that it is not well' : null;
  } catch (error) {
    return error === late ? late.message : `its probe failed: ${messageOf(error)}`;
  } finally {
    clearTimeout(timer);
  }
}
