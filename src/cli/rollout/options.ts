import { StandstillError, unexpected } from '../../base/errors.js';
import type { FleetOptions, FleetVmOptions } from '../../fleet/options.js';
import type { Direction } from '../../fleet/rollout-events.js';
import type { AppliedProbe, RolloutOptions } from '../../fleet/rollout-options.js';
import { DEMO_PATCHES } from '../../scenario/builtin/components.js';
import { assertFitsMachine, nativeVmConfig } from '../../vm/options.js';
import { findProgram } from '../../vm/programs.js';
import type { UiFlag } from '../dashboard.js';
import type { OutputFlags } from '../output-flags.js';
import { memoryOf } from '../run-options.js';

const PROGRAMS_DEFAULT = ['kv-store', 'queue', 'page-writer'] as const;
const SETS_DEFAULT = ['web'];

/** The flags of `standstill rollout`, as commander hands them over. */
export interface RolloutFlags extends OutputFlags {
  hosts: number;
  vms: number;
  set?: string[];
  domains?: number;
  faultDomains?: number;
  memory: string;
  program?: string[];
  patch?: string[];
  rollbackPatch?: string[];
  order?: number[];
  hostsAtOnce?: number;
  pauseBetween?: number;
  onFailure: string;
  budget: number;
  duration: number;
  seed: number;
  state?: string;
  resume?: true;
  rollBack?: true;
  inDoubt?: string;
  plan?: true;
  trust?: string[];
  allowReboot?: true;
  log?: string;
  ui?: UiFlag;
  report?: string[];
}

export interface RolloutRun {
  readonly fleet: FleetOptions;
  readonly sets: readonly string[];
  readonly vms: readonly FleetVmOptions[];
  readonly rollout: RolloutOptions;
  /** The built-in patches need the components that they work on. */
  readonly isDemo: boolean;
  /** Null: it is a new rollout. 'as it was': in the direction in which it stopped. */
  readonly resume: Direction | 'as it was' | null;
  readonly isApplied: AppliedProbe | undefined;
  readonly durationMs: number;
}

/** Everything that can be wrong with the flags by themselves is found here, before anything is created. */
export function planRolloutRun(flags: RolloutFlags): RolloutRun {
  const sets = flags.set ?? SETS_DEFAULT;
  const programs = flags.program ?? PROGRAMS_DEFAULT;
  for (const program of programs) findProgram(program);
  const vms = Array.from(
    { length: flags.vms },
    (_, index): FleetVmOptions => ({
      program: programs[index % programs.length] ?? PROGRAMS_DEFAULT[0],
      memory: memoryOf(flags.memory),
      seed: flags.seed + index,
      availabilitySet: sets[index % sets.length],
    }),
  );
  const ramBytes = vms.map(({ availabilitySet: _, ...vm }) => nativeVmConfig(vm, (program) => program).ramBytes);
  assertFitsMachine(
    ramBytes.reduce((sum, bytes) => sum + bytes, 0),
    '--vms times --memory',
  );
  if (new Set(sets).size < sets.length)
    throw unexpected('ERR_INVALID_OPTION', 'each name once', '--set', sets.join(', '));
  assertStateFlags(flags);
  return {
    fleet: {
      hosts: flags.hosts,
      updateDomains: flags.domains,
      faultDomains: flags.faultDomains,
      directory: flags.state,
      host: { trustedKeys: flags.trust ?? [] },
    },
    sets,
    vms,
    rollout: {
      patches: flags.patch ?? DEMO_PATCHES,
      rollbackPatches: flags.rollbackPatch,
      order: flags.order,
      hostsAtOnce: flags.hostsAtOnce,
      pauseBetweenMs: flags.pauseBetween,
      onFailure: oneOf(['stop', 'rollback'] as const, flags.onFailure, '--on-failure'),
      budgetMs: flags.budget,
      allowReboot: flags.allowReboot,
    },
    isDemo: flags.patch === undefined,
    resume: flags.rollBack ? 'rollback' : flags.resume ? 'as it was' : null,
    isApplied: isAppliedOf(flags.inDoubt),
    durationMs: flags.duration,
  };
}

function assertStateFlags(flags: RolloutFlags): void {
  const serving = (['log', 'ui', 'report'] as const).find((name) => flags[name] !== undefined);
  if (flags.plan && serving !== undefined) {
    throw new StandstillError('ERR_INVALID_OPTION', `Expected one of --plan and --${serving} but received both`);
  }
  if (flags.state !== undefined) {
    if (flags.patch !== undefined || flags.resume || flags.rollBack) return;
    const message = 'Expected --patch with --state but received none: the built-in patches are for temporary hosts';
    throw new StandstillError('ERR_INVALID_OPTION', message);
  }
  const needsState = flags.resume ? '--resume' : flags.rollBack ? '--roll-back' : undefined;
  if (needsState === undefined) return;
  throw new StandstillError('ERR_INVALID_OPTION', `Expected --state with ${needsState} but received none`);
}

function isAppliedOf(text: string | undefined): AppliedProbe | undefined {
  if (text === undefined) return undefined;
  const applied = oneOf(['applied', 'not-applied'] as const, text, '--in-doubt') === 'applied';
  return () => applied;
}

function oneOf<Value extends string>(values: readonly Value[], text: string, flag: string): Value {
  const found = values.find((value) => value === text);
  if (found !== undefined) return found;
  throw unexpected('ERR_INVALID_OPTION', values.map((value) => `'${value}'`).join(' or '), flag, text);
}
