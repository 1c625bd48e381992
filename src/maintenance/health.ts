import { z } from 'zod';
import { orAborted } from '../base/abort.js';
import { monotonicNs } from '../base/clock.js';
import type { ErrorCode } from '../base/error-codes.js';
import { isStandstillError, messageOf, StandstillError } from '../base/errors.js';
import { formatNs, NS_PER_MS } from '../base/units.js';

const PROBE_TIMEOUT_MS_DEFAULT = 5000;
const EXPECTED_TIMEOUT = 'milliseconds above 0, up to 3600000';

export const guardTimeoutSchema = z
  .number(EXPECTED_TIMEOUT)
  .positive(EXPECTED_TIMEOUT)
  .max(3_600_000, EXPECTED_TIMEOUT);

const isFunction = (value: unknown) => typeof value === 'function';
export const hookSchema = z.custom<Hook>(isFunction, 'a function');
export const probeSchema = z.strictObject({
  name: z.string('text').min(1, 'text'),
  probe: z.custom<Probe['probe']>(isFunction, 'a function'),
  timeoutMs: guardTimeoutSchema.default(PROBE_TIMEOUT_MS_DEFAULT),
});

/** What a hook or probe is called with. */
export interface HookContext {
  /** Names of the VMs of the maintenance. */
  readonly vms: readonly string[];
  /** Aborts when nobody waits any more. */
  readonly signal: AbortSignal;
}

/** A function of the user's at one moment of a maintenance. */
export type Hook = (context: HookContext) => unknown;

/** A question to the user's service: healthy where the function returns or resolves, but with false. */
export interface Probe {
  name: string;
  /** Called once behind the release; what it throws, or `false`, is a failure. */
  probe: (context: HookContext) => unknown;
  /** In milliseconds above 0, up to an hour; default 5,000. */
  timeoutMs?: number | undefined;
}

/** What became of a probe or hook. */
export interface ProbeReport {
  name: string;
  ok: boolean;
  durationNs: number;
  error: { code: ErrorCode; message: string } | null;
}

export interface Guarded {
  readonly name: string;
  readonly run: Hook;
  readonly timeoutMs: number;
  readonly kind: 'probe' | 'hook';
}

/** Runs a function that may throw or hang, for as long as its timeout. Rejects only with the reason of `stop`. */
export async function runGuarded(guarded: Guarded, vms: readonly string[], stop: AbortSignal): Promise<ProbeReport> {
  const { name, run, timeoutMs, kind } = guarded;
  const beganAtNs = monotonicNs();
  const over = new AbortController();
  const timer = setTimeout(() => {
    const message = `Expected the ${kind} '${name}' to answer within ${formatNs(timeoutMs * NS_PER_MS)} but it hangs`;
    over.abort(new StandstillError(kind === 'probe' ? 'ERR_PROBE_TIMEOUT' : 'ERR_HOOK_TIMEOUT', message));
  }, timeoutMs);
  const signal = AbortSignal.any([stop, over.signal]);
  const ended = (error: ProbeReport['error']): ProbeReport => ({
    name,
    ok: error === null,
    durationNs: Number(monotonicNs() - beganAtNs),
    error,
  });
  try {
    const answer = await orAborted(
      Promise.resolve().then(() => run({ vms, signal })),
      signal,
    );
    return ended(answer === false && kind === 'probe' ? failure(kind, `'${name}' answered false`) : null);
  } catch (error) {
    stop.throwIfAborted();
    if (over.signal.aborted && isStandstillError(error)) return ended({ code: error.code, message: error.message });
    return ended(failure(kind, `'${name}' failed: ${messageOf(error)}`));
  } finally {
    clearTimeout(timer);
    // Whoever hangs may learn of it.
    over.abort();
  }
}

const failure = (kind: Guarded['kind'], what: string): { code: ErrorCode; message: string } => ({
  code: kind === 'probe' ? 'ERR_PROBE_FAILED' : 'ERR_HOOK_FAILED',
  message: `Expected a ${kind} that ends well but ${what}`,
});
