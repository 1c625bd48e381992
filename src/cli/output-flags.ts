import type { Command } from 'commander';

/** What every command takes. */
export interface OutputFlags {
  json?: true;
  quiet?: true;
  color: boolean;
}

/** `createProgram` gives them to all commands that have none below them, so that none forgets one. */
export const addOutputFlags = (command: Command): Command =>
  command
    .option('--json', 'print JSON instead of text')
    .option('--quiet', 'no progress and no decoration: the result alone, and errors')
    .option('--no-color', 'no colour; NO_COLOR does the same');
