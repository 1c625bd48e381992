import { randomInt } from 'node:crypto';
import { StandstillError, unexpected } from '../base/errors.js';
import { Prng } from '../base/prng.js';
import { didYouMean } from '../base/suggest.js';
import type { FlipBitFault } from '../maintenance/options.js';
import type { PatchSpec } from '../maintenance/patch-source.js';
import type { Proof } from '../maintenance/proof.js';
import { DEMO_PATCHES } from '../scenario/builtin/components.js';
import { assertFitsMachine, nativeVmConfig, type VmOptions } from '../vm/options.js';
import { findProgram } from '../vm/programs.js';
import type { BundleFlags } from './bundles.js';
import type { UiFlag } from './dashboard.js';
import type { OutputFlags } from './output-flags.js';

export const PROGRAMS_DEFAULT = ['kv-store', 'queue', 'page-writer', 'ticker'] as const;
/** A seed that a JSON number holds and that is short enough to be typed again. */
export const RANDOM_SEED_LIMIT = 2 ** 32;

/** The flags of `standstill run`, as commander hands them over. */
export interface RunFlags extends BundleFlags, OutputFlags {
  vms: number;
  memory: string;
  program?: string[];
  patch?: string[];
  budget: number;
  proof: string;
  seed?: number;
  duration: number;
  fault?: string;
  ui?: UiFlag;
  report?: string[];
}

export interface RunPlan {
  readonly seed: number;
  readonly vms: readonly VmOptions[];
  readonly patches: readonly PatchSpec[];
  readonly trustedKeys: readonly string[];
  readonly allowReboot: boolean;
  /** It has a folder of its own, with the components that it has. */
  readonly isHostKept: boolean;
  /** The built-in patches need the components that they work on. */
  readonly isDemo: boolean;
  readonly budgetMs: number;
  readonly proof: Proof;
  readonly durationMs: number;
  readonly faults: readonly FlipBitFault[];
}

/** Everything that can be wrong with the flags is found here, before anything is created. */
export function planRun(flags: RunFlags): RunPlan {
  const seed = flags.seed ?? randomInt(RANDOM_SEED_LIMIT);
  const programs = flags.program ?? PROGRAMS_DEFAULT;
  for (const program of programs) findProgram(program);
  const vms = Array.from({ length: flags.vms }, (_, index): VmOptions => {
    const program = programs[index % programs.length] ?? PROGRAMS_DEFAULT[0];
    return {
      name: `${program}-${index + 1}`,
      program,
      memory: memoryOf(flags.memory),
      seed: seed + index,
      prefault: true,
    };
  });
  const configs = vms.map((vm) => nativeVmConfig(vm, (program) => program));
  assertFitsMachine(
    configs.reduce((sum, { ramBytes }) => sum + ramBytes, 0),
    '--vms times --memory',
  );
  return {
    seed,
    vms,
    patches: flags.patch ?? DEMO_PATCHES,
    trustedKeys: flags.trust ?? [],
    allowReboot: flags.allowReboot === true,
    isHostKept: flags.host !== undefined,
    isDemo: flags.patch === undefined,
    budgetMs: flags.budget,
    proof: proofOf(flags.proof),
    durationMs: flags.duration,
    faults: flags.fault === undefined ? [] : [faultOf(flags.fault, configs, seed)],
  };
}

/** '67108864' is a number of bytes, as 67108864 is. */
export const memoryOf = (text: string): string | number => (/^[+-]?\d+$/.test(text.trim()) ? Number(text) : text);

function proofOf(text: string): Proof {
  const proofs: readonly Proof[] = ['deferred', 'full', 'sampled', 'none'];
  const proof = proofs.find((candidate) => candidate === text);
  if (proof !== undefined) return proof;
  throw unexpected('ERR_INVALID_OPTION', proofs.join(', '), '--proof', text);
}

/** 'flip-bit' or 'flip-bit=<vm>'; the bit is chosen by the seed. */
function faultOf(
  text: string,
  vms: readonly { readonly name: string; readonly ramBytes: number }[],
  seed: number,
): FlipBitFault {
  const [kind, name] = text.split('=', 2);
  if (kind !== 'flip-bit') throw unexpected('ERR_INVALID_OPTION', 'flip-bit or flip-bit=<vm>', '--fault', text);
  const vm = name === undefined ? vms[0] : vms.find((candidate) => candidate.name === name);
  if (vm === undefined) {
    const names = vms.map((candidate) => candidate.name);
    const message = `Expected a VM of this run for --fault but received '${name}'${didYouMean(name ?? '', names)}`;
    throw new StandstillError('ERR_INVALID_OPTION', message);
  }
  const prng = new Prng(BigInt(seed));
  return { kind: 'flip-bit', vm: vm.name, gpa: prng.nextBelow(vm.ramBytes), bit: prng.nextBelow(8) };
}
