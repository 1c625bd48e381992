import { describe, it } from 'vitest';
import { expectSurvival, TEST_TIMEOUT_MS } from './run-child.js';

describe('garbage collection of', () => {
  it.each([
    'a VM that was never started',
    'a running VM',
    'a paused VM',
    'an idle VM',
    'a VM in a freeze that is held',
    'a VM and its freeze',
    'a VM with pending digests and checks',
    'a VM with a pending runUntil',
    'an unreleased freeze: its VMs run on',
    'an unreleased freeze with a pending settled()',
    'a thousand cycles of create and close',
  ])('%s', { timeout: TEST_TIMEOUT_MS }, (hazard) =>
    expectSurvival('collect', [hazard], { nodeArgs: ['--expose-gc'] }),
  );
});
