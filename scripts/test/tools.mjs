// What the scripts share: where the project is, and how a command is run.
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

export function commandExists(command) {
  return spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0;
}

/**
 * Runs a command in the project, showing and keeping what it prints. Resolves with how it ended. One that has
 * not ended after `seconds` is killed with all that it started, as it is when this process is interrupted.
 */
export function run([command, ...args], { seconds }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const signalAll = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // It has ended by itself in this moment.
      }
    };
    let late = false;
    const deadline = setTimeout(() => {
      late = true;
      signalAll('SIGKILL');
    }, seconds * 1000);
    const interrupt = (signal) => {
      signalAll(signal);
      process.exit(signal === 'SIGINT' ? 130 : 143);
    };
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    let output = '';
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      from.setEncoding('utf8');
      from.on('data', (text) => {
        output += text;
        to.write(text);
      });
    }
    const settle = () => {
      clearTimeout(deadline);
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    };
    child.on('error', (error) => {
      settle();
      reject(error);
    });
    child.on('close', (code, signal) => {
      settle();
      const outcome = late ? `no end within ${seconds.toFixed(0)} s` : (signal ?? `exit code ${code}`);
      resolve({ ok: code === 0, outcome, output });
    });
  });
}
