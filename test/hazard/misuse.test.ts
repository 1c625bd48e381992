import { describe, it } from 'vitest';
import { expectSurvival, TEST_TIMEOUT_MS } from './run-child.js';

const SEED = process.env.STANDSTILL_SEED ?? '20';

describe('misuse', () => {
  it.each([
    'errors before initialise',
    'initialise with anything but a class',
    'an error class that throws, or makes no error',
    'constructors called directly',
    'methods on a wrong this',
    'the addon loaded twice in one environment',
    'options that close the VM while they are read',
    'junk for every argument of every method',
  ])('%s', { timeout: TEST_TIMEOUT_MS }, (hazard) => expectSurvival('misuse', [hazard, SEED]));
});
