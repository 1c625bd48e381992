import { Command } from 'commander';
import type { Leave } from '../leave.js';
import { compactCommand } from './compact.js';
import { createCommand } from './create.js';
import { diffCommand } from './diff.js';
import { exportCommand } from './export.js';
import { inspectCommand } from './inspect.js';
import { restoreCommand } from './restore.js';
import { verifyCommand } from './verify.js';

/** `standstill snapshot`: snapshot files from the command line. */
export function snapshotCommand(leave: Leave): Command {
  const commands = [
    createCommand,
    inspectCommand,
    verifyCommand,
    diffCommand,
    compactCommand,
    exportCommand,
    restoreCommand,
  ];
  const group = new Command('snapshot')
    .summary('create, inspect, verify, compare, fold, export and restore snapshot files')
    .description('Snapshot files: a whole VM at one step, RAM, registers and clock. docs/SNAPSHOT_FORMAT.md');
  for (const command of commands) group.addCommand(command(leave));
  return group;
}
