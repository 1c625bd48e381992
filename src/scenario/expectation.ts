import { show } from '../base/errors.js';
import { parseDurationNs } from '../base/units.js';
import { DURATION } from './fields.js';
import { hintOfDuration, meant } from './hints.js';
import { METRIC_NAMES, type MetricName, metricOf, type ValueUnit } from './metrics.js';

export const COMPARISONS = ['<', '<=', '>', '>=', '==', '!='] as const;
export type Comparison = (typeof COMPARISONS)[number];

/** One expectation, read. `blackout.p99(web) < 50ms` is blackout of web, percentile 99, '<', 50,000,000 ns. */
export interface Expectation {
  /** As it was written. */
  readonly text: string;
  readonly metric: MetricName;
  /** What it is narrowed to: names of VMs, sets, hosts or probes; none: all. */
  readonly args: readonly string[];
  /** A percentile from 0, the least, to 100, the greatest, or the mean; null for a metric that is one value. */
  readonly statistic: number | 'mean' | null;
  /** 'is' of a state. */
  readonly comparison: Comparison | 'is';
  /** Nanoseconds, a share from 0 to 1, a count, or the name of a state. */
  readonly value: number | string;
  readonly unit: ValueUnit;
}

/** What is wrong with an expectation, and where in its text. */
export interface Mistake {
  readonly offset: number;
  readonly length: number;
  readonly message: string;
  readonly hint?: string | null;
}

export type Parsed = { readonly expectation: Expectation } | { readonly mistake: Mistake };

const HEAD = /^(\s*)([^\s():<>=!]*)/;
const ARGUMENTS = /^\(([^()]*)\)/;
const STATISTIC = /^(?:p(\d+(?:\.\d+)?)|min|max|mean)$/;
const SHARE = /^(\d+(?:\.\d+)?)\s*%$/;
const COUNT = /^\d+$/;
const EXPECTED_METRIC = "a metric such as 'blackout.p99', 'memory' or 'availability(api)'";

/** Reads `metric[.statistic][(names)] comparison value` or `metric: state`. Throws nothing. */
export function parseExpectation(text: string): Parsed {
  try {
    return { expectation: new Reader(text).read() };
  } catch (error) {
    if (error instanceof Wrong) return { mistake: error.mistake };
    throw error;
  }
}

/** Leaves the reader at the first mistake; never leaves this file. */
class Wrong extends Error {
  constructor(readonly mistake: Mistake) {
    super(mistake.message);
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(): Expectation {
    const [, space = '', dotted = ''] = HEAD.exec(this.#text) ?? [];
    const start = space.length;
    this.#at = start + dotted.length;
    const args = this.#arguments();
    // `latency(api).p99` is `latency.p99(api)`.
    const [tail = ''] = /^\.[\w.]+/.exec(this.#rest) ?? [];
    this.#at += tail.length;
    const { metric, statistic } = this.#metric(dotted + tail, start);
    const { of } = metricOf(metric);
    if (args !== null && of === null) {
      const [first] = args;
      throw wrong(
        first?.offset ?? start,
        first?.name.length ?? 1,
        `Expected no names in brackets for '${metric}' but received ${show(first?.name ?? '')}`,
      );
    }
    this.#skipSpace();
    return {
      text: this.#text.trim(),
      metric,
      args: (args ?? []).map(({ name }) => name),
      statistic,
      ...this.#compared(metric),
    };
  }

  get #rest(): string {
    return this.#text.slice(this.#at);
  }

  #skipSpace(): void {
    this.#at += this.#rest.length - this.#rest.trimStart().length;
  }

  #arguments(): { readonly name: string; readonly offset: number }[] | null {
    if (!this.#rest.startsWith('(')) return null;
    const [all, inner = ''] = ARGUMENTS.exec(this.#rest) ?? [];
    if (all === undefined) {
      throw wrong(
        this.#at,
        this.#rest.length,
        "Expected names and ')' after '(' but received no ')'",
        "as in 'availability(api)'",
      );
    }
    let offset = this.#at + 1;
    const args = inner.split(',').map((part) => {
      const own = { name: part.trim(), offset: offset + (part.length - part.trimStart().length) };
      offset += part.length + 1;
      return own;
    });
    const empty = args.find(({ name }) => name === '');
    if (empty !== undefined)
      throw wrong(empty.offset, 1, 'Expected a name in the brackets but received nothing', "as in 'blackout(web)'");
    this.#at += all.length;
    return args;
  }

  #metric(dotted: string, offset: number): Pick<Expectation, 'metric' | 'statistic'> {
    const metric = METRIC_NAMES.filter((name) => dotted === name || dotted.startsWith(`${name}.`)).sort(
      (a, b) => b.length - a.length,
    )[0];
    if (metric === undefined) {
      const bare = dotted.replace(/\.(?:p[\d.]+|min|max|mean)$/, '');
      const hint = meant(bare, METRIC_NAMES) ?? `metrics: ${METRIC_NAMES.join(', ')}`;
      throw wrong(offset, dotted.length, `Expected ${EXPECTED_METRIC} but received ${show(dotted)}`, hint);
    }
    const { isDistribution } = metricOf(metric);
    const rest = dotted.slice(metric.length + 1);
    if (rest === '') return { metric, statistic: isDistribution ? 100 : null };
    const at = offset + metric.length + 1;
    if (!isDistribution) {
      const longer = METRIC_NAMES.filter((name) => name.startsWith(`${metric}.`));
      const hint = longer.length === 0 ? null : `there are ${[metric, ...longer].join(', ')}`;
      throw wrong(
        at,
        rest.length,
        `Expected no statistic for '${metric}', which is one value, but received ${show(rest)}`,
        hint,
      );
    }
    const found = STATISTIC.exec(rest);
    const percentile = Number(found?.[1] ?? 0);
    if (found === null || percentile > 100) {
      throw wrong(at, rest.length, `Expected p0 to p100, min, mean or max for '${metric}' but received ${show(rest)}`);
    }
    if (rest === 'mean') return { metric, statistic: 'mean' };
    return { metric, statistic: rest === 'min' ? 0 : rest === 'max' ? 100 : percentile };
  }

  #compared(metric: MetricName): Pick<Expectation, 'comparison' | 'value' | 'unit'> {
    const { unit, states } = metricOf(metric);
    // YAML reads 'blackout.p99: < 50ms' as a key and its value.
    const [colon = ''] = /^:\s*(?=[<>=!])/.exec(this.#rest) ?? [];
    this.#at += colon.length;
    const operatorAt = this.#at;
    const [operator = ''] = /^(?:[<>=!]+|:)/.exec(this.#rest) ?? [];
    this.#at += operator.length;
    this.#skipSpace();
    const received = this.#rest.trimEnd();
    if (unit === 'state') {
      const state = states.find((each) => each === received);
      if (operator === ':' && state !== undefined) return { comparison: 'is', value: state, unit };
      const known = states.map((each) => `'${metric}: ${each}'`).join(', ');
      const at = operator === ':' && received !== '' ? this.#at : operatorAt;
      const hint = meant(received, states);
      throw wrong(
        at,
        this.#text.trimEnd().length - at,
        `Expected ${known} but received ${show(this.#text.trim())}`,
        hint,
      );
    }
    const comparison = COMPARISONS.find((each) => each === operator);
    if (comparison === undefined) {
      const hint = operator === '=' ? "did you mean '=='?" : `as in '${metric} ${EXAMPLES[unit]}'`;
      const got = operator === '' ? (received === '' ? 'nothing' : show(received)) : show(operator);
      const length = operator.length || received.length;
      throw wrong(operatorAt, length, `Expected ${COMPARISONS.join(', ')} after '${metric}' but received ${got}`, hint);
    }
    return { comparison, value: this.#value(metric, unit, received), unit };
  }

  #value(metric: MetricName, unit: Exclude<ValueUnit, 'state'>, received: string): number {
    const value = READ[unit](received);
    if (value !== undefined) return value;
    const got = received === '' ? 'nothing' : show(received);
    const message = `Expected ${EXPECTED_VALUES[unit]} for '${metric}' but received ${got}`;
    throw wrong(this.#at, received.length, message, hintOf(unit, received));
  }
}

const wrong = (offset: number, length: number, message: string, hint: string | null = null): Wrong =>
  new Wrong({ offset, length: Math.max(1, length), message, hint });

const READ = {
  ns: (text: string) => (DURATION.test(text) ? parseDurationNs(text, 'an expectation') : undefined),
  share: (text: string) => {
    const percent = Number(SHARE.exec(text)?.[1] ?? Number.NaN);
    return percent <= 100 ? percent / 100 : undefined;
  },
  count: (text: string) => (COUNT.test(text) ? Number(text) : undefined),
};

const EXPECTED_VALUES = {
  ns: "a duration such as '50ms'",
  share: "a share from '0%' to '100%'",
  count: 'a whole number without a unit',
};

const EXAMPLES = { ns: '< 50ms', share: '>= 80%', count: '>= 1' };

function hintOf(unit: Exclude<ValueUnit, 'state'>, received: string): string | null {
  if (unit === 'ns') return hintOfDuration(received);
  if (unit === 'count' || !/^\d+(?:\.\d+)?$/.test(received)) return null;
  const percent = Number(received) <= 1 ? Number(received) * 100 : Number(received);
  return percent <= 100 ? `did you mean '${percent}%'?` : null;
}
