import { monotonicNs } from '../base/clock.js';
import { StandstillError } from '../base/errors.js';
import { type ProbeReport, runGuarded } from '../maintenance/health.js';
import type { Disturbances } from './disturbances.js';
import type { ProbeEvent, ProbePhase } from './events.js';
import { abortWindow, type ParsedProbe } from './options.js';
import { type ProbeSummary, ProbeTally, percent } from './summary.js';
import type { Asker } from './targets/ask.js';

/** A service that answers nothing must not take all memory with it. */
const UNDER_WAY_MAX = 10_000;

export interface ProbeMeans {
  readonly disturbances: Disturbances;
  readonly tell: (event: ProbeEvent) => void;
  readonly onUnhealthy: (error: StandstillError) => void;
  /** Aborts what is under way; an answer that it cuts off does not count. */
  readonly cut: AbortSignal;
}

/** One probe: asks its target and counts the answers. */
export class RunningProbe {
  readonly probe: ParsedProbe;
  readonly #asker: Asker;
  readonly #means: ProbeMeans;
  readonly #tally = new ProbeTally();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #window: number;
  /** The newest answers, whether each was well. */
  readonly #newest: boolean[] = [];
  #isUnhealthy = false;

  constructor(probe: ParsedProbe, asker: Asker, means: ProbeMeans) {
    this.probe = probe;
    this.#asker = asker;
    this.#means = means;
    this.#window = abortWindow(probe);
  }

  /** Asks once, now or as of when it was due. Whether it is well; never rejects. */
  ask(dueAtNs = monotonicNs(), lateNs = 0): Promise<boolean> {
    const one = this.#ask(dueAtNs, lateNs);
    this.#underWay.add(one);
    void one.finally(() => this.#underWay.delete(one));
    return one;
  }

  /** Resolves when all that was asked has an answer. */
  async answered(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  summary(): ProbeSummary {
    return this.#tally.summary(this.probe, monotonicNs());
  }

  async close(): Promise<void> {
    await this.#asker.close();
  }

  async #ask(dueAtNs: bigint, lateNs: number): Promise<boolean> {
    const { disturbances, cut } = this.#means;
    const ask = this.#tally.due(dueAtNs, lateNs);
    const { phase: phaseAtAsk, begun } = disturbances;
    let error: ProbeReport['error'];
    try {
      error = await this.#answer();
    } catch {
      return false; // by `cut`, which is the only reason
    }
    if (cut.aborted) return false;
    const phase: ProbePhase = disturbances.begun > begun ? 'during' : phaseAtAsk;
    const answer = { ok: error === null, latencyNs: Number(monotonicNs() - dueAtNs), phase };
    this.#tally.answered({ ask, ...answer });
    this.#means.tell({ type: 'probe', probe: this.probe.name, ...answer, error });
    this.#judge(answer.ok);
    return answer.ok;
  }

  async #answer(): Promise<ProbeReport['error']> {
    if (this.#underWay.size >= UNDER_WAY_MAX) {
      return {
        code: 'ERR_BUSY',
        message: `Expected fewer than ${UNDER_WAY_MAX} asks without an answer but there are as many`,
      };
    }
    const { name, timeoutMs } = this.probe;
    const run = ({ signal }: { signal: AbortSignal }) => this.#asker.ask(signal);
    return (await runGuarded({ name, run, timeoutMs, kind: 'probe' }, [], this.#means.cut)).error;
  }

  #judge(ok: boolean): void {
    const { name, abort } = this.probe;
    if (abort === undefined || this.#isUnhealthy) return;
    this.#newest.push(ok);
    if (this.#newest.length > this.#window) this.#newest.shift();
    const failed = this.#newest.filter((each) => !each).length;
    // Those still to come count as well: before the window is full only what they cannot make up for is unhealthy.
    const okShare = 1 - failed / this.#window;
    if (okShare >= abort.okShareMin) return;
    this.#isUnhealthy = true;
    const message =
      `Expected ${percent(abort.okShareMin)} of the answers to probe '${name}' to be well ` +
      `but ${failed} of ${this.#window} are not`;
    this.#means.tell({ type: 'probe-unhealthy', probe: name, message });
    this.#means.onUnhealthy(new StandstillError('ERR_PROBE_FAILED', message));
  }
}
