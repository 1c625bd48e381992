import { z } from 'zod';
import { onAbort } from '../base/abort.js';
import { StandstillError, show } from '../base/errors.js';
import { EventLog, type LogEvent } from '../base/event-log.js';
import { parseOptions } from '../base/options.js';
import { didYouMean } from '../base/suggest.js';
import { Disturbances, type WatchedLog } from './disturbances.js';
import type { ProbeEvent } from './events.js';
import { type ParsedProbe, type ProbeSpec, parseProbes } from './options.js';
import { type ProbeMeans, RunningProbe } from './running-probe.js';
import { atFixedRate } from './schedule.js';
import type { ProbeSummary } from './summary.js';
import { openTarget } from './targets/open.js';

/** The event log of a host or a fleet, or any that has their events. */
export interface ProbedLog extends WatchedLog {
  /** Writes an answer down. */
  append(event: LogEvent): unknown;
}

const optionsSchema = z.strictObject({
  log: z.custom<ProbedLog>((value) => value instanceof EventLog, 'an event log').optional(),
  signal: z.instanceof(AbortSignal, { error: 'an AbortSignal' }).optional(),
});

/** Where answers go, and what ends the probes. */
export interface ProbesOptions {
  /**
   * Tells of the disturbances, and is told of each answer: `host.log` or `fleet.log`. Default: a log of its own, in which
   * all answers are 'before'.
   */
  log?: ProbedLog | undefined;
  /** Aborting it ends all probes at once: what is under way does not count, and what has kind 'end' is not asked. */
  signal?: AbortSignal | undefined;
}

/** Probes that are being asked. Stop them: `await using probes = await startProbes(…)` does. */
export class Probes implements AsyncDisposable {
  /**
   * Aborts, with an ERR_PROBE_FAILED that names the probe, as soon as one falls below the share that its `abort` asks for:
   * as the `signal` of a maintenance, a rollout or whatever else is to stop then.
   */
  readonly unhealthy: AbortSignal;
  readonly #running: readonly RunningProbe[];
  readonly #schedules: readonly Disposable[];
  readonly #end: () => Promise<void>;
  readonly #cut: AbortSignal;
  #stopping: Promise<ProbeSummary[]> | undefined;

  constructor(
    running: readonly RunningProbe[],
    schedules: readonly Disposable[],
    signals: { readonly unhealthy: AbortSignal; readonly cut: AbortSignal },
    end: () => Promise<void>,
  ) {
    this.#running = running;
    this.#schedules = schedules;
    this.unhealthy = signals.unhealthy;
    this.#cut = signals.cut;
    this.#end = end;
  }

  /**
   * Asks a probe once more, whatever its kind, and counts the answer; false where it is not well. So it serves as the
   * health gate of a maintenance or a rollout. Rejects with ERR_INVALID_OPTION for a name that no probe has.
   */
  async ask(name: string): Promise<boolean> {
    const found = this.#running.find(({ probe }) => probe.name === name);
    if (found !== undefined) return await found.ask();
    const names = this.#running.map(({ probe }) => probe.name);
    const message = `Expected the name of a probe but received ${show(name)}${didYouMean(name, names)}`;
    throw new StandstillError('ERR_INVALID_OPTION', message);
  }

  /** What was found so far, in the order in which the probes were given. */
  summaries(): ProbeSummary[] {
    return this.#running.map((each) => each.summary());
  }

  /**
   * Asks no more, waits for the answers under way (as long as the longest timeout), asks the probes of kind 'end', and
   * resolves with what was found. Idempotent.
   */
  async stop(): Promise<ProbeSummary[]> {
    this.#stopping ??= this.#stop();
    return await this.#stopping;
  }

  /** Like `stop`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(): Promise<ProbeSummary[]> {
    for (const schedule of this.#schedules) schedule[Symbol.dispose]();
    await Promise.all(this.#running.map((each) => each.answered()));
    if (!this.#cut.aborted) await Promise.all(ofKind(this.#running, 'end').map((each) => each.ask()));
    const summaries = this.summaries();
    await this.#end();
    return summaries;
  }
}

/**
 * Starts steady-state probes: it asks those of kind 'start', waits for their answers, and begins with the others. An
 * answer goes to the log as an entry of type 'probe'. Latencies are in nanoseconds from when each ask was due, at a fixed
 * rate that no slow answer holds up. Probes keep the process alive until they are stopped.
 *
 * ```js
 * await using probes = await startProbes(
 *   [
 *     { name: 'api', target: { http: 'http://127.0.0.1:8080/health' }, everyMs: 50, okShareMin: { before: 1, after: 1 } },
 *     { name: 'store', target: { check: vm }, kind: 'end' },
 *     { name: 'orders', target: { module: './probe.mjs' }, abort: { okShareMin: 0.5, windowMs: 2000 } },
 *   ],
 *   { log: host.log },
 * );
 * await host.applyMaintenance({
 *   patches,
 *   signal: probes.unhealthy, // stops, and the VMs run again, when more than half of the orders of two seconds fail
 *   probes: [{ name: 'api', probe: () => probes.ask('api') }], // takes the bundles back where it is not well afterwards
 * });
 * await fleet.rollout({ patches, signal: probes.unhealthy, probe: () => probes.ask('api') });
 * for (const { name, ok, during, longestOutageNs } of await probes.stop()) console.log(name, ok, during.okShare, longestOutageNs);
 * ```
 *
 * Rejects with ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION, ERR_PROBE_INVALID (a module without a function), ERR_ABORTED.
 */
export async function startProbes(specs: readonly ProbeSpec[], options: ProbesOptions = {}): Promise<Probes> {
  const parsed = parseProbes(specs);
  const { log = new EventLog<ProbeEvent>(), signal } = parseOptions(optionsSchema, options, 'probes');
  const disturbances = new Disturbances(log);
  const cut = new AbortController();
  const unhealthy = new AbortController();
  const aborted = () => new StandstillError('ERR_ABORTED', 'The probes were aborted', { cause: signal?.reason });
  const listener = signal === undefined ? undefined : onAbort(signal, () => cut.abort(aborted()));
  const means: ProbeMeans = {
    disturbances,
    tell: (event) => log.append(event),
    onUnhealthy: (error) => unhealthy.abort(error),
    cut: cut.signal,
  };
  const running: RunningProbe[] = [];
  const end = async () => {
    listener?.[Symbol.dispose]();
    disturbances[Symbol.dispose]();
    await Promise.all(running.map((each) => each.close()));
  };
  try {
    for (const probe of parsed) running.push(await open(probe, means));
    await Promise.all(ofKind(running, 'start').map((each) => each.ask()));
    cut.signal.throwIfAborted();
  } catch (error) {
    await end();
    throw error;
  }
  const schedules = [
    ...ofKind(running, 'continuous').map((each) =>
      atFixedRate(each.probe.everyMs, (dueAtNs, lateNs) => void each.ask(dueAtNs, lateNs)),
    ),
    ...ofKind(running, 'edge').map((each) => atEdges(each, disturbances)),
  ];
  const stopSchedules = onAbort(cut.signal, () => {
    for (const schedule of schedules) schedule[Symbol.dispose]();
  });
  return new Probes(running, [...schedules, stopSchedules], { unhealthy: unhealthy.signal, cut: cut.signal }, end);
}

const open = async (probe: ParsedProbe, means: ProbeMeans): Promise<RunningProbe> =>
  new RunningProbe(probe, await openTarget(probe.target, means), means);

const ofKind = (running: readonly RunningProbe[], kind: ParsedProbe['kind']): RunningProbe[] =>
  running.filter(({ probe }) => probe.kind === kind);

/** Outside of the moment of the edge itself, in which VMs stand still; what begins or ends together is one edge. */
function atEdges(running: RunningProbe, disturbances: Disturbances): Disposable {
  let pending: NodeJS.Immediate | undefined;
  const isCheck = 'check' in running.probe.target;
  const listener = disturbances.onEdge((edge) => {
    if (pending !== undefined || (isCheck && edge === 'begin')) return;
    pending = setImmediate(() => {
      pending = undefined;
      void running.ask();
    });
  });
  return {
    [Symbol.dispose]: () => {
      listener[Symbol.dispose]();
      clearImmediate(pending);
    },
  };
}
