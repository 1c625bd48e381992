import { isStandstillError } from '../base/errors.js';
import type { Progress } from '../base/progress.js';
import { EXIT_OK } from './exit-codes.js';
import { catchInterrupts } from './interrupt.js';
import type { Leave } from './leave.js';
import type { OutputFlags } from './output-flags.js';
import { showProgress } from './progress.js';
import { type Terminal, terminalOf } from './terminal.js';

/** What a command found. */
export interface Outcome {
  /** Printed with `--json`. */
  readonly json: object;
  /** Printed without. */
  readonly text: (terminal: Terminal) => string;
  /** Default 0. */
  readonly exitCode?: number;
}

/** What work is watched by: a signal, progress, and what to call the part that begins. */
export interface Watch {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: Progress) => void;
  readonly say: (text: string) => void;
}

/** Does a command's work under its progress, prints what it found, and leaves. Ctrl-C ends the work. */
export async function perform(
  flags: OutputFlags,
  leave: Leave,
  work: (watch: Watch) => Promise<Outcome>,
): Promise<void> {
  using interrupt = catchInterrupts(() => {});
  try {
    const outcome = await withProgress(interrupt.signal, flags, work);
    const { json, color } = flags;
    process.stdout.write(
      json ? `${JSON.stringify(outcome.json, null, 2)}\n` : outcome.text(terminalOf(process.stdout, color)),
    );
    await leave(outcome.exitCode ?? EXIT_OK, 0);
  } catch (error) {
    if (interrupt.exitCode === undefined || !isStandstillError(error, 'ERR_ABORTED')) throw error;
    process.stderr.write('Interrupted: no file was written, and nothing is left of what was under way.\n');
    await leave(interrupt.exitCode, 0);
  }
}

async function withProgress(
  signal: AbortSignal,
  flags: OutputFlags,
  work: (watch: Watch) => Promise<Outcome>,
): Promise<Outcome> {
  using progress = showProgress(flags);
  return await work({
    signal,
    say: (text) => progress.say(text),
    onProgress: ({ done, total }) => {
      if (total > 0) progress.showShare(done / total, `${Math.floor((100 * done) / total)} %`);
    },
  });
}
