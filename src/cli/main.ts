#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { isStandstillError } from '../base/errors.js';
import { benchCommand } from './bench.js';
import { eventsCommand } from './events/command.js';
import { EXIT_NOT_OK, EXIT_OK, EXIT_USAGE, exitCodeOf } from './exit-codes.js';
import { gateCommand } from './gate/command.js';
import { leave } from './leave.js';
import { patchCommand } from './patch/command.js';
import { planCommand } from './plan.js';
import { rolloutCommand } from './rollout/command.js';
import { runCommand } from './run.js';
import { serveCommand } from './serve/command.js';
import { snapshotCommand } from './snapshot/command.js';
import { verifyCommand } from './verify.js';

// A reader that has seen enough, as `head` has, is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

const program = new Command('standstill')
  .description('Memory-preserving host maintenance: freeze VMs, patch the host, resume them, prove their memory.')
  .version(version)
  // `gate` and `gate ab` both have a --head.
  .enablePositionalOptions()
  .addCommand(runCommand(leave))
  .addCommand(rolloutCommand(leave))
  .addCommand(verifyCommand(leave))
  .addCommand(benchCommand(leave))
  .addCommand(snapshotCommand(leave))
  .addCommand(serveCommand(leave))
  .addCommand(eventsCommand(leave))
  .addCommand(patchCommand(leave))
  .addCommand(planCommand(leave))
  .addCommand(gateCommand(leave));

for (const command of withSubcommands(program)) {
  command.exitOverride().showHelpAfterError('(--help tells more)').showSuggestionAfterError();
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** Says what went wrong, without a stack where it is the user's to mend, and returns the exit code. */
function report(error: unknown): number {
  // Commander has printed its own.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
  if (isStandstillError(error)) {
    process.stderr.write(`error: ${error.message} (${error.code})\n`);
    return exitCodeOf(error);
  }
  if (error instanceof Error && 'syscall' in error) {
    process.stderr.write(`error: ${error.message}\n`);
    return EXIT_NOT_OK;
  }
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT_NOT_OK;
}
