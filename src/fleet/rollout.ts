import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../base/errors.js';
import { NS_PER_MS } from '../base/units.js';
import type { HostOutcome } from './host-work.js';
import type { RolloutHappening } from './rollout-events.js';
import { type Decision, decide, type RolloutState } from './rollout-state.js';

/** What a rollout acts with. */
export interface RolloutHands {
  /** As of the newest entry that was told. */
  state(): RolloutState;
  tell(happening: RolloutHappening): void;
  /** Resolves once all that was told would survive a crash. */
  flush(): Promise<void>;
  /** By the log's clock. */
  nowNs(): number;
  /** Never rejects. */
  work(host: string): Promise<HostOutcome>;
  /** Whether the patches are on a host; null: nobody can say. */
  isApplied(host: string): Promise<boolean | null>;
  /** The VMs of these hosts that are not well are told as they are found; resolves with their problems. */
  checkHealth(updateDomain: number, hosts: readonly string[]): Promise<readonly string[]>;
}

/**
 * Does what `decide` says until the rollout is over or has stopped. Each host is written down, on disk, before its
 * maintenance begins. Rejects with ERR_STATE_IO where that fails, once the hosts under way are done.
 */
export async function driveRollout(hands: RolloutHands, signal: AbortSignal): Promise<void> {
  const underWay = new Set<Promise<void>>();
  try {
    for (;;) {
      const decision = decide(hands.state(), signal.aborted);
      if (decision.do === 'nothing') break;
      if (decision.do === 'wait') await Promise.race(underWay);
      else if (decision.do === 'patch') await beginHosts(hands, decision, underWay);
      else await act(hands, decision, signal);
    }
  } finally {
    await Promise.all(underWay);
  }
  await hands.flush();
}

type Patch = Extract<Decision, { do: 'patch' }>;

async function beginHosts(
  hands: RolloutHands,
  { updateDomain, hosts }: Patch,
  underWay: Set<Promise<void>>,
): Promise<void> {
  const { direction } = hands.state();
  for (const host of hosts) hands.tell({ type: 'host-patch-begin', direction, updateDomain, host });
  await hands.flush();
  for (const host of hosts) {
    const work = hands.work(host).then((outcome) => {
      hands.tell({ type: 'host-patch-end', direction, updateDomain, host, ...outcome });
      underWay.delete(work);
    });
    underWay.add(work);
  }
}

async function act(
  hands: RolloutHands,
  decision: Exclude<Decision, { do: 'nothing' | 'wait' | 'patch' }>,
  signal: AbortSignal,
): Promise<void> {
  const { direction, problems } = hands.state();
  switch (decision.do) {
    case 'settle':
      await settle(hands, decision.hosts);
      break;
    case 'begin-domain': {
      if (!(await pauseBetween(hands, signal))) break;
      hands.tell({ type: 'domain-begin', direction, updateDomain: decision.updateDomain, hosts: decision.hosts });
      break;
    }
    case 'check-health': {
      const { updateDomain, hosts } = decision;
      const found = await hands.checkHealth(updateDomain, hosts);
      // An abort ends the probes: what they say then is no health.
      if (signal.aborted) break;
      hands.tell({ type: 'domain-end', direction, updateDomain, ok: found.length === 0, problems: found });
      break;
    }
    case 'roll-back':
      hands.tell({ type: 'rollback-begin' });
      break;
    case 'stop':
      hands.tell({ type: 'rollout-stopped', reason: decision.reason, problems });
      break;
    case 'finish':
      hands.tell({ type: direction === 'forward' ? 'rollout-done' : 'rollout-rolled-back' });
      break;
  }
}

/** Waits for what is left of the pause since the last domain's end; false where the signal has aborted. */
async function pauseBetween(hands: RolloutHands, signal: AbortSignal): Promise<boolean> {
  const { plan, domainEndedAtNs } = hands.state();
  if (domainEndedAtNs === null) return !signal.aborted;
  const leftMs = () => plan.pauseBetweenMs - (hands.nowNs() - domainEndedAtNs) / NS_PER_MS;
  // A timer drops fractions and may come early.
  while (!signal.aborted && leftMs() > 0) await sleep(Math.ceil(leftMs()), undefined, { signal }).catch(() => {});
  return !signal.aborted;
}

async function settle(hands: RolloutHands, hosts: readonly string[]): Promise<void> {
  const problems: string[] = [];
  for (const host of hosts) {
    try {
      const applied = await hands.isApplied(host);
      if (applied === null) problems.push(`${host}: it is not known whether the patches are on it`);
      else hands.tell({ type: 'host-settled', host, applied: applied ? 'yes' : 'no' });
    } catch (error) {
      problems.push(`${host}: whether the patches are on it could not be found out: ${messageOf(error)}`);
    }
  }
  if (problems.length > 0) hands.tell({ type: 'rollout-stopped', reason: 'in-doubt', problems });
}
