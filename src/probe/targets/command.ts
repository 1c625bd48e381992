import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { onAbort } from '../../base/abort.js';
import type { CommandTarget } from '../options.js';
import { type Asker, asker } from './ask.js';

const SHOWN_CHARACTERS_MAX = 200;

export const commandAsker = ({ command }: CommandTarget): Asker =>
  asker(async (signal) => {
    const [program = '', ...args] = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
    // A group of its own, so that what it starts ends with it.
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
    using _abort = onAbort(signal, () => killGroup(child));
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      said = (said + part).slice(-SHOWN_CHARACTERS_MAX);
    });
    try {
      const [code, killedBy] = await once(child, 'exit');
      if (code === 0) return;
      const how = code === null ? `ended by ${killedBy}` : `exit code ${code}`;
      throw new Error([how, said.trim()].filter((part) => part !== '').join(': '));
    } finally {
      killGroup(child);
    }
  });

/** Also after its end: what it left running would hold its pipe, and pile up with each ask. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody of it is left.
  }
}
