import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const KILL_AFTER_MS = 30_000;
/** A test outlives its child, so that a hang is reported as one. */
export const TEST_TIMEOUT_MS = KILL_AFTER_MS + 5_000;

export interface Outcome {
  /** What to type to see it again: with the hazard and its seed. */
  command: string;
  /** 'exit 0', 'SIGTERM', or 'hang' where the child had to be killed. */
  ending: string;
  stdout: string;
  stderr: string;
}

interface ChildOptions {
  nodeArgs?: string[];
}

/** Runs test/hazard/children/<script>.mjs in a process of its own. */
export function runChild(script: string, args: string[] = [], options: ChildOptions = {}): Promise<Outcome> {
  const path = fileURLToPath(new URL(`./children/${script}.mjs`, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...(options.nodeArgs ?? []), path, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    let hung = false;
    const killer = setTimeout(() => {
      hung = true;
      child.kill('SIGKILL');
    }, KILL_AFTER_MS);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(killer);
      const command = `node children/${script}.mjs ${args.map((arg) => `'${arg}'`).join(' ')}`;
      resolve({ command, ending: hung ? 'hang' : (signal ?? `exit ${code}`), stdout, stderr });
    });
  });
}

/** The ending comes with what the child said, so that a failure explains itself. */
export function expectEnding(outcome: Outcome, ending: string): void {
  expect(outcome, `${outcome.command}\n${outcome.stdout}\n${outcome.stderr}`).toMatchObject({ ending });
  expect(outcome.stderr).not.toMatch(/Sanitizer|FATAL ERROR|terminate called|Check failed/);
}

/** The child did all that it meant to, found all as it should be, and left with code 0. */
export async function expectSurvival(script: string, args: string[] = [], options: ChildOptions = {}): Promise<void> {
  const outcome = await runChild(script, args, options);
  expectEnding(outcome, 'exit 0');
  expect(outcome.stderr).toBe('');
  expect(outcome.stdout).toContain('survived');
}
