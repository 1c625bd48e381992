import { StandstillError } from '../base/errors.js';
import { EXIT_BY_SIGNAL } from './exit-codes.js';

type CaughtSignal = keyof typeof EXIT_BY_SIGNAL;
const SIGNALS: readonly CaughtSignal[] = ['SIGINT', 'SIGTERM'];

export interface Interrupt extends Disposable {
  /** Aborts with ERR_ABORTED at the first signal. */
  readonly signal: AbortSignal;
  /** 130 or 143 once interrupted. */
  readonly exitCode: number | undefined;
}

/**
 * Catches SIGINT and SIGTERM until it is disposed. The first one aborts `signal`, and the command winds up. The second
 * one does not wait: `cleanUpNow` runs, and the process ends by that signal, which unlike `process.exit` joins no thread.
 */
export function catchInterrupts(cleanUpNow: () => void): Interrupt {
  const controller = new AbortController();
  let exitCode: number | undefined;
  const onSignal = (name: CaughtSignal) => {
    if (exitCode === undefined) {
      exitCode = EXIT_BY_SIGNAL[name];
      controller.abort(new StandstillError('ERR_ABORTED', `Interrupted by ${name}`));
      return;
    }
    cleanUpNow();
    process.removeAllListeners(name);
    process.kill(process.pid, name);
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
    [Symbol.dispose]() {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
