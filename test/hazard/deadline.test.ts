import { describe, it } from 'vitest';
import { expectSurvival, TEST_TIMEOUT_MS } from './run-child.js';

describe("a freeze's deadline", () => {
  it.each([
    'passes while the event loop is blocked',
    'passes after all its VMs were closed',
    'passes while the VMs are being released',
    'does not touch the next freeze of the same VM',
    'is to come when the process ends',
  ])('%s', { timeout: TEST_TIMEOUT_MS }, (hazard) => expectSurvival('deadline', [hazard]));
});
