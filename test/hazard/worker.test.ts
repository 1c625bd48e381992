import { describe, it } from 'vitest';
import { expectSurvival, TEST_TIMEOUT_MS } from './run-child.js';

const SEED = process.env.STANDSTILL_SEED ?? '20';

describe('a worker thread with VMs', () => {
  it.each([
    'terminated at a random moment',
    'terminated while reading stats',
    'terminated while receiving errors',
    'terminated while freezing',
    'terminated while settling promises',
    'terminated before the deadline of its freeze',
    'natural exit',
    'process.exit in the worker',
    'uncaught exception in the worker',
    'main and several workers at once',
    'process.exit on the main thread while workers run VMs',
    'the addon leaves with the only worker that loaded it',
  ])('%s', { timeout: TEST_TIMEOUT_MS }, (hazard) => expectSurvival('worker', [hazard, SEED]));
});
