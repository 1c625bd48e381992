import { Command } from 'commander';
import type { Leave } from '../leave.js';
import { createCommand } from './create.js';
import { inspectCommand } from './inspect.js';
import { keygenCommand } from './keygen.js';
import { signCommand } from './sign.js';
import { verifyCommand } from './verify.js';

/** `standstill patch`: patch bundles from the command line. */
export function patchCommand(leave: Leave): Command {
  const group = new Command('patch')
    .summary('make, sign, inspect and verify patch bundles')
    .description(
      "Patch bundles: one file with a new version of a host's component, a manifest, and a signature over the manifest.",
    );
  for (const command of [keygenCommand, createCommand, signCommand, inspectCommand, verifyCommand]) {
    group.addCommand(command(leave));
  }
  return group;
}
