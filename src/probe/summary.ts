import type { JsHistogram } from 'hdr-histogram-js';
import { latencyHistogram } from '../base/latency-histogram.js';
import type { ProbePhase } from './events.js';
import { describeTarget, type ParsedProbe, type ProbeKind } from './options.js';

const PHASES = ['before', 'during', 'after'] as const;

/** Of the answers that were well, in nanoseconds, each from when its asking was due. */
export interface ProbeLatency {
  p50Ns: number;
  p99Ns: number;
  maxNs: number;
}

/** The answers of one phase. */
export interface ProbeAnswers {
  asked: number;
  ok: number;
  /** ok / asked; null where nothing was asked. */
  okShare: number | null;
  /** Null where none was well. */
  latency: ProbeLatency | null;
}

/** What a probe found, as JSON. */
export interface ProbeSummary {
  name: string;
  kind: ProbeKind;
  /** What was asked, as text. */
  target: string;
  /** Its thresholds hold. */
  ok: boolean;
  /** What does not, a sentence each. */
  problems: string[];
  total: ProbeAnswers;
  before: ProbeAnswers;
  during: ProbeAnswers;
  after: ProbeAnswers;
  /**
   * The longest time without a well answer: from when the first of some asks in a row that failed was due until one was
   * due that was well again, or to the end. Of a continuous probe; else null.
   */
  longestOutageNs: number | null;
  /** How late this process was in asking, at most: what it was busy with itself. */
  lateMaxNs: number;
}

export interface Answer {
  /** The number that `due` gave. */
  readonly ask: number;
  readonly ok: boolean;
  readonly latencyNs: number;
  readonly phase: ProbePhase;
}

/** Counts a probe's answers, which may come in another order than they were asked for. */
export class ProbeTally {
  readonly #counts = Object.fromEntries([...PHASES, 'total'].map((name) => [name, new Count()])) as Readonly<
    Record<ProbePhase | 'total', Count>
  >;
  readonly #outage = new OutageMeter();
  #lateMaxNs = 0;

  /** An ask, in the order of the times at which they are due. */
  due(dueAtNs: bigint, lateNs: number): number {
    this.#lateMaxNs = Math.max(this.#lateMaxNs, lateNs);
    return this.#outage.due(dueAtNs);
  }

  answered({ ask, ok, latencyNs, phase }: Answer): void {
    this.#outage.answered(ask, ok);
    for (const count of [this.#counts[phase], this.#counts.total]) count.add(ok, latencyNs);
  }

  summary(probe: ParsedProbe, nowNs: bigint): ProbeSummary {
    const { total, before, during, after } = this.#counts;
    const answers = {
      total: total.answers(),
      before: before.answers(),
      during: during.answers(),
      after: after.answers(),
    };
    const problems = problemsOf(probe, answers);
    return {
      name: probe.name,
      kind: probe.kind,
      target: describeTarget(probe.target),
      ok: problems.length === 0,
      problems,
      ...answers,
      longestOutageNs: probe.kind === 'continuous' ? this.#outage.longestNs(nowNs) : null,
      lateMaxNs: this.#lateMaxNs,
    };
  }
}

class Count {
  readonly #latencies: JsHistogram = latencyHistogram();
  #asked = 0;
  #ok = 0;
  #maxNs = 0;

  add(ok: boolean, latencyNs: number): void {
    this.#asked += 1;
    if (!ok) return;
    this.#ok += 1;
    this.#maxNs = Math.max(this.#maxNs, latencyNs);
    this.#latencies.recordValue(latencyNs);
  }

  answers(): ProbeAnswers {
    // The histogram answers the highest value that it cannot tell from the percentile.
    const at = (percentile: number) => Math.min(this.#maxNs, this.#latencies.getValueAtPercentile(percentile));
    return {
      asked: this.#asked,
      ok: this.#ok,
      okShare: this.#asked === 0 ? null : this.#ok / this.#asked,
      latency: this.#ok === 0 ? null : { p50Ns: at(50), p99Ns: at(99), maxNs: this.#maxNs },
    };
  }
}

/** Follows the answers in the order of their asking. */
class OutageMeter {
  /** Those asked that have no answer yet, or come behind one that has none; the first of them is number `#first`. */
  readonly #open: { readonly dueAtNs: bigint; ok: boolean | undefined }[] = [];
  #first = 0;
  #downSinceNs: bigint | undefined;
  #longestNs = 0n;

  due(dueAtNs: bigint): number {
    this.#open.push({ dueAtNs, ok: undefined });
    return this.#first + this.#open.length - 1;
  }

  answered(ask: number, ok: boolean): void {
    const own = this.#open[ask - this.#first];
    if (own !== undefined) own.ok = ok;
    while (this.#open[0]?.ok !== undefined) {
      const { dueAtNs, ok: isUp } = this.#open[0];
      if (!isUp) this.#downSinceNs ??= dueAtNs;
      else this.#upAgain(dueAtNs);
      this.#open.shift();
      this.#first += 1;
    }
  }

  longestNs(nowNs: bigint): number {
    const openNs = this.#downSinceNs === undefined ? 0n : nowNs - this.#downSinceNs;
    return Number(openNs > this.#longestNs ? openNs : this.#longestNs);
  }

  #upAgain(atNs: bigint): void {
    this.#longestNs = BigInt(this.longestNs(atNs));
    this.#downSinceNs = undefined;
  }
}

function problemsOf(probe: ParsedProbe, answers: Readonly<Record<ProbePhase | 'total', ProbeAnswers>>): string[] {
  const wanted = probe.okShareMin ?? (probe.kind === 'continuous' ? {} : 1);
  const shares = typeof wanted === 'number' ? { total: wanted } : wanted;
  return [...PHASES, 'total' as const].flatMap((phase) => {
    const okShareMin = 'total' in shares ? (phase === 'total' ? shares.total : undefined) : shares[phase as ProbePhase];
    return okShareMin === undefined ? [] : shortfall(probe.name, phase, okShareMin, answers[phase]);
  });
}

function shortfall(name: string, phase: ProbePhase | 'total', okShareMin: number, of: ProbeAnswers): string[] {
  if (of.okShare !== null && of.okShare >= okShareMin) return [];
  const where = phase === 'total' ? 'in all' : phase;
  const received = of.okShare === null ? 'none was asked for' : `${percent(of.okShare)} (${of.ok} of ${of.asked})`;
  return [
    `Expected ${percent(okShareMin)} of the answers to probe '${name}' ${where} to be well but received ${received}`,
  ];
}

/** Rounded down, so that what is below a threshold never reads as if it were on it. */
export const percent = (share: number): string => `${Math.floor(share * 1000 + 1e-9) / 10} %`;
