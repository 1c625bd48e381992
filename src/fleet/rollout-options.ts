import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { unexpected } from '../base/errors.js';
import { parseOptions, wholeNumber } from '../base/options.js';
import type { Host } from '../host/host.js';
import { type FreezeSettings, freezeFields } from '../maintenance/freeze-scope.js';
import type { MaintenanceOptions } from '../maintenance/options.js';
import { kindOf, locatePatch, type PatchSpec, patchSchema } from '../maintenance/patch-source.js';
import type { Proof } from '../maintenance/proof.js';
import type { MaintenanceReport } from '../maintenance/report.js';
import type { Vm } from '../vm/vm.js';
import { HOSTS_MAX } from './options.js';
import type { VmPlace } from './placement.js';
import type { Direction } from './rollout-events.js';
import type { FailurePolicy, PlannedPatch } from './rollout-plan.js';

const DAY_MS = 24 * 3_600_000;
const LAG_MS_DEFAULT = 1000;
const PROBE_TIMEOUT_MS_DEFAULT = 10_000;
const EXPECTED_MS = 'milliseconds from 0 to 86400000';
const EXPECTED_TIMEOUT = 'milliseconds above 0, up to 86400000';

const functionSchema = <Type>() => z.custom<Type>((value) => typeof value === 'function', 'a function').optional();
const durationSchema = z.number(EXPECTED_MS).min(0, EXPECTED_MS).max(DAY_MS, EXPECTED_MS);

const controlFields = {
  probe: functionSchema<HealthProbe>(),
  isApplied: functionSchema<AppliedProbe>(),
  maintain: functionSchema<HostMaintainer>(),
  signal: z.instanceof(AbortSignal, { error: 'an AbortSignal' }).optional(),
};

const rolloutSchema = z.strictObject({
  ...controlFields,
  ...freezeFields,
  budgetMs: freezeFields.budgetMs.unwrap().optional(),
  patches: z.array(patchSchema, 'an array of patches').min(1, 'at least one patch'),
  rollbackPatches: z.array(patchSchema, 'an array of patches').default([]),
  availabilitySets: z.array(z.string('the name of a set'), 'an array of names').min(1, 'at least one name').optional(),
  order: z.array(z.number('a number'), 'an array of update domains').optional(),
  onFailure: z.enum(['stop', 'rollback'], "'stop' or 'rollback'").default('stop'),
  pauseBetweenMs: durationSchema.default(0),
  hostsAtOnce: wholeNumber(1, HOSTS_MAX).optional(),
  proof: z.enum(['deferred', 'full', 'sampled', 'none'], "'deferred', 'full', 'sampled' or 'none'").default('deferred'),
  check: z.boolean('true or false').default(true),
  allowReboot: z.boolean('true or false').default(false),
  lagMsMax: durationSchema.default(LAG_MS_DEFAULT),
  probeTimeoutMs: z
    .number(EXPECTED_TIMEOUT)
    .positive(EXPECTED_TIMEOUT)
    .max(DAY_MS, EXPECTED_TIMEOUT)
    .default(PROBE_TIMEOUT_MS_DEFAULT),
});

const resumeSchema = z.strictObject({
  ...controlFields,
  direction: z.enum(['forward', 'rollback'], "'forward' or 'rollback'").optional(),
});

/**
 * Whether a VM is well after its host was patched: it throws, or answers false, where it is not. The signal aborts when
 * its time is up or the rollout is aborted.
 */
export type HealthProbe = (
  vm: Vm,
  context: { readonly place: VmPlace; readonly signal: AbortSignal },
) => boolean | undefined | Promise<boolean | undefined>;

/** Whether the patches are on a host, where a process that was killed, or a patch that failed halfway, has left it open. */
export type AppliedProbe = (host: Host) => boolean | Promise<boolean>;

/** Does a host's maintenance, with these options, and resolves with its report; rejects as `host.applyMaintenance` does. */
export type HostMaintainer = (host: Host, options: MaintenanceOptions) => Promise<MaintenanceReport>;

/** What is no part of the plan and has to be given again to a rollout that is resumed. */
export interface RolloutControl {
  /** Asked for each VM of an update domain once its hosts are patched; the next domain waits for all answers. Default: none. */
  probe?: HealthProbe | undefined;
  /**
   * Asked for each host of which it is not known. Default: of bundles, the versions of the host's components tell it;
   * with a module among the patches the rollout stops there, by 'in-doubt', and never applies what may be applied already.
   */
  isApplied?: AppliedProbe | undefined;
  /** In the place of `host.applyMaintenance`, for whoever adds hooks to it or keeps its reports. Default: that. */
  maintain?: HostMaintainer | undefined;
  /** Aborting it begins no further host and no further probe; hosts under way are finished, and the rollout stops. */
  signal?: AbortSignal | undefined;
}

/** The settings of a freeze are those of each host's. */
export interface RolloutOptions extends RolloutControl, FreezeSettings {
  /** In milliseconds above 0, up to 24 h. Default: each host's own `budgetMs`. */
  budgetMs?: number | undefined;
  /**
   * Applied to each host in this order; options of theirs must be JSON. A patch that fails must bear being applied again.
   */
  patches: readonly PatchSpec[];
  /**
   * Applied to take modules back, each must bear that there is nothing to take back: needed for a rollback where a module
   * is among the patches. Bundles are taken back by their hosts, to the version before, in a maintenance of their class,
   * but for components that a bundle in here is for. Default: none.
   */
  rollbackPatches?: readonly PatchSpec[] | undefined;
  /** The hosts that carry VMs of these sets. Default: all hosts of the fleet. */
  availabilitySets?: readonly string[] | undefined;
  /** The update domains in the order in which they are taken. Default: ascending. */
  order?: readonly number[] | undefined;
  /** What follows a host that fails or a VM that is not well: 'stop', or 'rollback' of all hosts patched so far. Default 'stop'. */
  onFailure?: FailurePolicy | undefined;
  /**
   * From the end of an update domain to the begin of the next one, in milliseconds, 0 to 24 h. Default 0. A
   * resume and a rollback begin at once.
   */
  pauseBetweenMs?: number | undefined;
  /** How many hosts of an update domain are under maintenance at once, 1 to 1,000. Default: all. */
  hostsAtOnce?: number | undefined;
  /** How memory is proved, as of a maintenance. Default 'deferred'. */
  proof?: Proof | undefined;
  /** Walk the guests' invariants after the resume. Default true. */
  check?: boolean | undefined;
  /** Let a bundle of class 'reboot' restart the VMs: their memory is then lost. Default false: its hosts refuse it. */
  allowReboot?: boolean | undefined;
  /** Greatest lag of a guest's clock behind the host's after the resume, in milliseconds, 0 to 24 h. Default 1,000. */
  lagMsMax?: number | undefined;
  /** Longest answer of a probe, in milliseconds above 0, up to 24 h. Default 10,000. */
  probeTimeoutMs?: number | undefined;
}

export interface ResumeOptions extends RolloutControl {
  /** Go on, or take back what has been patched. Default: the direction in which it stopped. */
  direction?: Direction | undefined;
}

export type ParsedRollout = z.output<typeof rolloutSchema>;

export const parseRolloutOptions = (options: RolloutOptions): ParsedRollout =>
  parseOptions(rolloutSchema, options, 'a rollout');

export const parseResumeOptions = (options: ResumeOptions): z.output<typeof resumeSchema> =>
  parseOptions(resumeSchema, options, 'the resume of a rollout');

/** The patch as another process, in another working directory, finds it. Rejects as `locatePatch` does. */
export async function plannedPatch(spec: PatchSpec): Promise<PlannedPatch> {
  const kind = kindOf(spec);
  if ('bundle' in kind) return kind;
  const { name, url, options } = await locatePatch(kind.module);
  if (options === undefined) return { module: url, name };
  if (!isJson(options)) {
    throw unexpected('ERR_INVALID_OPTION', 'options that are JSON', `patch '${name}' of a rollout`, options);
  }
  return { module: url, name, options };
}

function isJson(value: unknown): boolean {
  try {
    return isDeepStrictEqual(JSON.parse(JSON.stringify(value)), value);
  } catch {
    return false;
  }
}
