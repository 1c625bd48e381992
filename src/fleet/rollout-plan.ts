import { StandstillError, show, unexpected } from '../base/errors.js';
import type { ParsedFreezeSettings } from '../maintenance/freeze-scope.js';
import type { Proof } from '../maintenance/proof.js';
import type { HostPlace, VmPlace } from './placement.js';

/** What follows a failure: the rollout stops where it is, or is taken back. */
export type FailurePolicy = 'stop' | 'rollback';

/** A patch as the plan keeps it, so that another process can go on. */
export type PlannedPatch =
  | {
      /** An absolute path or a file URL. */
      readonly module: string;
      readonly name?: string | undefined;
      /** As JSON. */
      readonly options?: unknown;
    }
  | {
      /** An absolute path. */
      readonly bundle: string;
    };

/** One update domain and its hosts, in the order in which they are patched. */
export interface RolloutStep {
  readonly updateDomain: number;
  readonly hosts: readonly string[];
}

/** What each host's maintenance is done with. */
export interface MaintenanceSettings extends Omit<ParsedFreezeSettings, 'budgetMs'> {
  /** Undefined: each host's own. */
  readonly budgetMs?: number | undefined;
  readonly proof: Proof;
  readonly check: boolean;
  readonly allowReboot: boolean;
}

/** All that a rollout was asked for, as JSON. */
export interface RolloutPlan {
  /** One update domain after the other, in this order. */
  readonly steps: readonly RolloutStep[];
  /** Null: all rolled-out hosts. */
  readonly availabilitySets: readonly string[] | null;
  readonly patches: readonly PlannedPatch[];
  readonly rollbackPatches: readonly PlannedPatch[];
  readonly onFailure: FailurePolicy;
  readonly pauseBetweenMs: number;
  /** Null: all of a domain. */
  readonly hostsAtOnce: number | null;
  readonly maintenance: MaintenanceSettings;
  readonly lagMsMax: number;
  readonly probeTimeoutMs: number;
}

/** The hosts that carry a VM of these sets; all of them where no set is named. */
export function hostsOfSets(
  hosts: readonly HostPlace[],
  vms: readonly VmPlace[],
  sets: readonly string[] | undefined,
): readonly HostPlace[] {
  if (sets === undefined) return hosts;
  const carrying = new Set(
    vms
      .filter(({ availabilitySet }) => availabilitySet !== null && sets.includes(availabilitySet))
      .map(({ host }) => host),
  );
  return hosts.filter(({ host }) => carrying.has(host));
}

/**
 * The update domains in their order, each with its hosts. Without an order: ascending. An order names each update domain
 * of the fleet at most once and leaves none out that has a host to patch; one that has none is passed over.
 */
export function planSteps(
  hosts: readonly HostPlace[],
  updateDomains: number,
  order: readonly number[] | undefined,
): RolloutStep[] {
  const ascending = Array.from({ length: updateDomains }, (_, index) => index);
  if (order !== undefined) assertOrder(hosts, updateDomains, order);
  const steps = (order ?? ascending).map((updateDomain) => ({
    updateDomain,
    hosts: hosts.filter((host) => host.updateDomain === updateDomain).map(({ host }) => host),
  }));
  const filled = steps.filter((step) => step.hosts.length > 0);
  if (filled.length > 0) return filled;
  throw new StandstillError('ERR_INVALID_OPTION', 'Expected a host to patch for a rollout but its sets have no VM');
}

function assertOrder(hosts: readonly HostPlace[], updateDomains: number, order: readonly number[]): void {
  const unknown = order.find((domain) => !Number.isInteger(domain) || domain < 0 || domain >= updateDomains);
  if (unknown !== undefined) {
    throw unexpected(
      'ERR_INVALID_OPTION',
      `update domains from 0 to ${updateDomains - 1}`,
      "'order' of a rollout",
      unknown,
    );
  }
  const repeated = order.find((domain, index) => order.indexOf(domain) !== index);
  if (repeated !== undefined) {
    const message = `Expected each update domain once for 'order' of a rollout but received ${show(repeated)} twice`;
    throw new StandstillError('ERR_INVALID_OPTION', message);
  }
  const missing = hosts.find(({ updateDomain }) => !order.includes(updateDomain));
  if (missing === undefined) return;
  throw new StandstillError(
    'ERR_INVALID_OPTION',
    `Expected every update domain with a host to patch for 'order' of a rollout but ${missing.updateDomain} is missing`,
  );
}
