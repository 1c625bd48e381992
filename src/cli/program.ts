import { Command } from 'commander';
import { packageVersion } from '../base/package.js';
import { benchCommand } from './bench.js';
import { doctorCommand } from './doctor.js';
import { eventsCommand } from './events/command.js';
import { gateCommand } from './gate/command.js';
import { initCommand } from './init/command.js';
import type { Leave } from './leave.js';
import { addOutputFlags } from './output-flags.js';
import { patchCommand } from './patch/command.js';
import { planCommand } from './plan.js';
import { reportCommand } from './report.js';
import { rolloutCommand } from './rollout/command.js';
import { runCommand } from './run.js';
import { serveCommand } from './serve/command.js';
import { snapshotCommand } from './snapshot/command.js';
import { verifyCommand } from './verify.js';

/** The whole command line; each command ends by `leave`. */
export function createProgram(leave: Leave): Command {
  const program = new Command('standstill')
    .description('Memory-preserving host maintenance: freeze VMs, patch the host, resume them, prove their memory.')
    .version(packageVersion())
    // `gate` and `gate ab` both have a --head.
    .enablePositionalOptions()
    .addCommand(initCommand(leave))
    .addCommand(runCommand(leave))
    .addCommand(rolloutCommand(leave))
    .addCommand(reportCommand(leave))
    .addCommand(verifyCommand(leave))
    .addCommand(benchCommand(leave))
    .addCommand(snapshotCommand(leave))
    .addCommand(serveCommand(leave))
    .addCommand(eventsCommand(leave))
    .addCommand(patchCommand(leave))
    .addCommand(planCommand(leave))
    .addCommand(gateCommand(leave))
    .addCommand(doctorCommand(leave));
  for (const command of withSubcommands(program)) {
    if (command.commands.length === 0) addOutputFlags(command);
    command.exitOverride().showHelpAfterError('(--help tells more)').showSuggestionAfterError();
  }
  return program;
}

/** A command and all that are below it. */
export const withSubcommands = (command: Command): Command[] => [command, ...command.commands.flatMap(withSubcommands)];
