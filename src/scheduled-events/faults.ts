import { z } from 'zod';
import { StandstillError, unexpected } from '../base/errors.js';
import { NS_PER_MS, parseDurationNs } from '../base/units.js';

const STATUS_MIN = 400;
const STATUS_MAX = 599;
const TIMES_MAX = 10_000;
const DELAY_MS_MAX = 300_000;
const STEPS_MAX = 10_000;

export const EXPECTED_STEP = "a step such as '500', '404 x3', 'delay 5s', 'truncated', 'malformed', 'reset' or 'ok'";

/** What is done to one reply. 'ok' is none; a delay is before a reply that is good otherwise. */
export type FaultStep =
  | { readonly kind: 'ok' | 'truncated' | 'malformed' | 'reset' }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'delay'; readonly delayMs: number };

const PLAIN_KINDS = ['ok', 'truncated', 'malformed', 'reset'] as const;

/**
 * Steps as text, each for one reply or for so many: '500 x2', 'delay 5s', '404', 'truncated', 'malformed', 'reset',
 * 'ok'. Throws ERR_INVALID_OPTION.
 */
export function parsePlaybook(steps: readonly (string | number)[], what: string): FaultStep[] {
  const parsed = steps.flatMap((step) => repeated(String(step), what));
  if (parsed.length <= STEPS_MAX) return parsed;
  throw new StandstillError(
    'ERR_INVALID_OPTION',
    `Expected at most ${STEPS_MAX} replies for ${what} but received ${parsed.length}`,
  );
}

function repeated(text: string, what: string): FaultStep[] {
  const [, step = '', , timesText] = /^\s*(.*?)(\s*x\s*(\d+))?\s*$/i.exec(text) ?? [];
  const times = Number(timesText ?? 1);
  if (times < 1 || times > TIMES_MAX) throw unexpected('ERR_INVALID_OPTION', EXPECTED_STEP, what, text);
  return Array<FaultStep>(times).fill(parseStep(step.toLowerCase(), what, text));
}

function parseStep(step: string, what: string, received: string): FaultStep {
  const plain = PLAIN_KINDS.find((kind) => kind === step);
  if (plain !== undefined) return { kind: plain };
  if (/^\d{3}$/.test(step) && Number(step) >= STATUS_MIN && Number(step) <= STATUS_MAX) {
    return { kind: 'status', status: Number(step) };
  }
  const delay = /^delay[\s:]+(.+)$/.exec(step)?.[1];
  if (delay !== undefined) {
    const delayMs = parseDurationNs(delay, what) / NS_PER_MS;
    if (delayMs <= DELAY_MS_MAX) return { kind: 'delay', delayMs };
  }
  throw unexpected('ERR_INVALID_OPTION', EXPECTED_STEP, what, received);
}

export const playbookSchema = z.array(z.union([z.string(), z.number()], EXPECTED_STEP), 'an array of steps');

/** The steps that are still to come for one VM's replies; when they are over, all replies are good. */
export class FaultPlaybook {
  #steps: readonly FaultStep[] = [];
  #next = 0;

  play(steps: readonly FaultStep[]): void {
    this.#steps = steps;
    this.#next = 0;
  }

  get remaining(): number {
    return this.#steps.length - this.#next;
  }

  /** What to do to the reply of the request that has come now. */
  take(): FaultStep {
    const step = this.#steps[this.#next];
    if (step === undefined) return { kind: 'ok' };
    this.#next += 1;
    return step;
  }
}
