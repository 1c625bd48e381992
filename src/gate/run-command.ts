import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { onAbort } from '../base/abort.js';
import { monotonicNs } from '../base/clock.js';
import { messageOf, StandstillError } from '../base/errors.js';
import { type Metric, plainResult, type Result } from './metric.js';
import { parseResults } from './read/format.js';

/** What is measured of a command: its wall time, or what it prints or writes as JSON in one of the formats. */
export type MetricSource =
  | { readonly kind: 'wall' }
  | { readonly kind: 'stdout' }
  | { readonly kind: 'file'; readonly path: string };

export interface CommandOptions {
  readonly metrics: MetricSource;
  /** A run that takes longer is killed, with all its children. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const ERROR_BYTES_MAX = 2_000;
const OUTPUT_BYTES_MAX = 256 * 2 ** 20;

/**
 * Runs a shell command to its end and returns what was measured. A command that fails, is killed or gives no metrics is
 * ERR_GATE_COMMAND. When the signal aborts, its whole process group is killed and the promise rejects with the reason.
 */
export async function runCommand(command: string, options: CommandOptions): Promise<Result> {
  const { metrics, signal } = options;
  signal.throwIfAborted();
  // What an earlier run wrote must not pass for what this one did.
  if (metrics.kind === 'file') await rm(metrics.path, { force: true });
  const { wallNs, stdout } = await runToEnd(command, options);
  if (metrics.kind === 'wall') return plainResult(command, 'wall time', [wallTime(wallNs)]);
  const json = metrics.kind === 'stdout' ? stdout : await readWritten(metrics.path, command);
  const newest = parseResults(json, metrics.kind === 'stdout' ? `the output of ${command}` : metrics.path).at(-1);
  if (newest === undefined)
    throw new StandstillError('ERR_GATE_COMMAND', `Expected a result of ${command} but it gave none`);
  return newest;
}

const wallTime = (value: number): Metric => ({ name: 'wall', unit: 'ns', direction: 'lower', value, interval: null });

async function readWritten(path: string, command: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new StandstillError('ERR_GATE_COMMAND', `Expected ${command} to write ${path} but: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function runToEnd(command: string, { metrics, timeoutMs, signal }: CommandOptions) {
  const startedAtNs = monotonicNs();
  // A group of its own, so that a shell's children are killed with it.
  const child = spawn(command, {
    shell: true,
    detached: true,
    stdio: ['ignore', metrics.kind === 'stdout' ? 'pipe' : 'ignore', 'pipe'],
  });
  let endedAtNs = startedAtNs;
  let killedFor: unknown;
  const kill = (reason: unknown) => {
    killedFor ??= reason;
    if (child.pid !== undefined) killGroup(child.pid);
  };
  using _listener = onAbort(signal, () => kill(signal.reason));
  const timer = setTimeout(() => kill(failure(command, `ran longer than ${timeoutMs / 1000} s`, '')), timeoutMs);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
    if (stdout.length > OUTPUT_BYTES_MAX) kill(failure(command, 'printed more than 256 MiB', ''));
  });
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(-ERROR_BYTES_MAX);
  });
  child.on('exit', () => {
    endedAtNs = monotonicNs();
  });
  try {
    const [exitCode, endedBy] = await once(child, 'close');
    if (killedFor !== undefined) throw killedFor;
    if (endedBy !== null) throw failure(command, `was ended by ${endedBy}`, stderr);
    if (exitCode !== 0) throw failure(command, `ended with exit code ${exitCode}`, stderr);
    return { wallNs: Number(endedAtNs - startedAtNs), stdout };
  } finally {
    clearTimeout(timer);
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

function failure(command: string, what: string, stderr: string): StandstillError {
  const detail = stderr.trim() === '' ? '' : `:\n${stderr.trim()}`;
  return new StandstillError('ERR_GATE_COMMAND', `Expected '${command}' to succeed but it ${what}${detail}`);
}
