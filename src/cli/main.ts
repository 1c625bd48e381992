#!/usr/bin/env node
import { CommanderError } from 'commander';
import { isStandstillError } from '../base/errors.js';
import { EXIT_NOT_OK, EXIT_OK, EXIT_USAGE, exitCodeOf } from './exit-codes.js';
import { leave } from './leave.js';
import { createProgram } from './program.js';

// A reader that has seen enough, as `head` has, is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

try {
  await createProgram(leave).parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Says what went wrong, without a stack where it is the user's to mend, and returns the exit code. */
function report(error: unknown): number {
  // Commander has printed its own.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
  if (isStandstillError(error)) {
    const [first = '', ...more] = error.message.split('\n');
    const head = `error: ${first.replace(/(:?)$/, ` (${error.code})$1`)}`;
    process.stderr.write([head, ...more, ''].join('\n'));
    return exitCodeOf(error);
  }
  if (error instanceof Error && 'syscall' in error) {
    process.stderr.write(`error: ${error.message}\n`);
    return EXIT_NOT_OK;
  }
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT_NOT_OK;
}
