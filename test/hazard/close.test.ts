import { describe, it } from 'vitest';
import { expectSurvival, TEST_TIMEOUT_MS } from './run-child.js';

const SEED = process.env.STANDSTILL_SEED ?? '20';

describe('with work pending', () => {
  it.each([
    'close during a digest',
    'close during a check',
    'close during a runUntil',
    'close as a runUntil arrives',
    'close while an epoch ends, a freeze holds and readers read',
    'close twice, and everything after it',
    'release of a freeze under its readers',
    'a deadline under its readers',
    'thousands of pending promises, all settled',
    'thousands of pending promises at process.exit',
    'thousands of pending promises left to a natural exit',
  ])('%s', { timeout: TEST_TIMEOUT_MS }, (hazard) => expectSurvival('close', [hazard, SEED]));
});
