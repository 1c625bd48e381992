import { describe, expect, it } from 'vitest';
import { expectEnding, runChild, TEST_TIMEOUT_MS } from './run-child.js';

const AT_REST = ['running', 'paused', 'idle', 'frozen'];
const PENDING = ['digest', 'check', 'create with prefault', 'runUntil', 'settled of a freeze'];
/** A frozen VM's budget is 30 s: a process that waits for it is late. */
const PROMPT_MS = 10_000;

describe('natural exit', () => {
  it.each(AT_REST)('with VMs %s: nothing keeps the process alive', { timeout: TEST_TIMEOUT_MS }, async (state) => {
    const startMs = performance.now();
    const outcome = await runChild('exit', [state, 'natural']);
    expectEnding(outcome, 'exit 0');
    expect(outcome.stdout).toContain('ready');
    expect(performance.now() - startMs).toBeLessThan(PROMPT_MS);
  });

  it.each(PENDING)('with a pending %s: not before it settles', { timeout: TEST_TIMEOUT_MS }, async (state) => {
    const outcome = await runChild('exit', [state, 'natural']);
    expectEnding(outcome, 'exit 0');
    expect(outcome.stdout).toBe('ready\nsettled\n');
  });
});

describe('process.exit on the main thread', () => {
  it.each([...AT_REST, ...PENDING])('while %s', { timeout: TEST_TIMEOUT_MS }, async (state) => {
    const outcome = await runChild('exit', [state, 'process.exit']);
    expectEnding(outcome, 'exit 7');
    expect(outcome.stdout).toBe('ready\n');
  });
});

const HARSH = [
  ['process.exit in a callback', 'exit 7'],
  ['process.exit in the error class', 'exit 7'],
  ['uncaught exception', 'exit 1'],
  ['unhandled rejection', 'exit 1'],
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGINT'],
  ['SIGKILL', 'SIGKILL'],
] as const;

describe.each(['running', 'frozen', 'digest', 'runUntil'])('while %s', (state) => {
  it.each(HARSH)('%s', { timeout: TEST_TIMEOUT_MS }, async (way, ending) => {
    const outcome = await runChild('exit', [state, way]);
    expectEnding(outcome, ending);
    expect(outcome.stdout).toBe('ready\n');
    if (ending === 'exit 1') expect(outcome.stderr).toContain('deliberate');
  });
});
