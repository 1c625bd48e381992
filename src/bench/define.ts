import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { messageOf, StandstillError, show } from '../base/errors.js';
import { parseOptions } from '../base/options.js';
import { Host } from '../host/host.js';
import type { VmOptions } from '../vm/options.js';
import type { Vm } from '../vm/vm.js';
import type { BenchCase, BenchContext, MetricDraft } from './case.js';
import { openLoop } from './open-loop.js';
import type { Series } from './series.js';

/** What a case of a user's own has at hand. */
export interface UserBenchContext
  extends Pick<BenchContext, 'quick' | 'signal' | 'latencies' | 'figures' | 'inTurns' | 'throughput' | 'addChild'> {
  /** A host of the case's own, closed after it. */
  readonly host: Host;
  /** The VMs that the definition names, running. */
  readonly vms: readonly Vm[];
  /**
   * Asks for an operation at a fixed rate and records, from when each was due until it ended: nanoseconds that a freeze
   * cannot hide. Rejects with what an operation rejects with, and with ERR_BUSY where 10,000 are under way.
   */
  openLoop(
    plan: { readonly ratePerSecond: number; readonly durationMs: number },
    series: Series,
    operation: () => Promise<unknown>,
  ): Promise<void>;
}

/** A benchmark of one's own, as `defineBench` takes it. */
export interface BenchDefinition {
  /** Lower-case letters, digits and dashes. */
  readonly name: string;
  readonly summary: string;
  /** Created and started before `run`, in this order. Default: none. */
  readonly vms?: readonly VmOptions[];
  /** About how long a full run takes, for the time left. Default 5. */
  readonly seconds?: number;
  /** Measures. The titles of what it answers begin with the name. */
  run(context: UserBenchContext): Promise<readonly MetricDraft[]>;
}

const EXPECTED_NAME = 'lower-case letters, digits and dashes';
const EXPECTED_SECONDS = 'seconds above 0';
const definitionSchema = z.strictObject({
  name: z.string(EXPECTED_NAME).regex(/^[a-z0-9][a-z0-9-]*$/, EXPECTED_NAME),
  summary: z.string('text'),
  vms: z
    .array(z.custom<VmOptions>((value) => typeof value === 'object' && value !== null, 'options of a VM'))
    .optional(),
  seconds: z.number(EXPECTED_SECONDS).positive(EXPECTED_SECONDS).optional(),
  run: z.custom<BenchDefinition['run']>((value) => typeof value === 'function', 'a function'),
});
/** Across copies of the package, of which a user's file may load another one. */
const DEFINED: unique symbol = Symbol.for('standstill.bench');

/**
 * A benchmark of the user's own, for the default export of a file that `standstill bench --case` is given. Throws
 * ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION.
 */
export function defineBench(definition: BenchDefinition): BenchCase {
  const { name, summary, vms = [], seconds, run } = parseOptions(definitionSchema, definition, 'a benchmark');
  const defined: BenchCase = {
    name,
    summary,
    promise: null,
    ...(seconds !== undefined && { seconds }),
    async run({ quick, signal, latencies, figures, inTurns, throughput, addChild }) {
      await using host = await Host.create();
      const started: Vm[] = [];
      for (const options of vms) started.push(await host.createVm(options));
      for (const vm of started) vm.start();
      return await run({
        ...{ quick, signal, latencies, figures, inTurns, throughput, addChild, host },
        vms: started,
        openLoop: (plan, series, operation) => openLoop({ ...plan, signal }, series, operation),
      });
    },
  };
  return Object.assign(defined, { [DEFINED]: true });
}

/** The benchmarks that a file's default export is, one or several. ERR_INVALID_OPTION. */
export async function loadBenches(path: string): Promise<readonly BenchCase[]> {
  const url = pathToFileURL(resolve(path)).href;
  const module: { readonly default?: unknown } = await import(url).catch((cause: unknown) => {
    const message = `Expected a module for --case but ${path} does not load: ${messageOf(cause)}`;
    throw new StandstillError('ERR_INVALID_OPTION', message, { cause });
  });
  const exported = Array.isArray(module.default) ? module.default : [module.default];
  if (exported.length > 0 && exported.every(isDefined)) return exported;
  const message = `Expected what defineBench answers as the default export of ${path} but received ${show(module.default)}`;
  throw new StandstillError('ERR_INVALID_OPTION', message);
}

const isDefined = (value: unknown): value is BenchCase =>
  typeof value === 'object' && value !== null && Reflect.get(value, DEFINED) === true;
