import { describe, it } from 'vitest';
import { expectEnding, expectSurvival, runChild, TEST_TIMEOUT_MS } from './run-child.js';

const SEED = process.env.STANDSTILL_SEED ?? '20';
const TIMEOUT = { timeout: TEST_TIMEOUT_MS };

describe('the file that VMs are mapped from', () => {
  it.each([
    'the file is cut under running VMs',
    'the file is emptied under running VMs',
    'the file is rewritten in place under running VMs',
    'the file is written anew in place under running VMs',
    'the file is cut while everything is under way',
    'the worker that mapped it first is gone',
  ])('%s', TIMEOUT, (hazard) => expectSurvival('mapped-file', [hazard, SEED]));
});

describe("somebody else's SIGBUS", () => {
  it('ends the process, as it does without the library', TIMEOUT, async () => {
    expectEnding(await runChild('mapped-file', ['a SIGBUS that somebody sends']), 'SIGBUS');
  });

  it('reaches the handler that was there before', TIMEOUT, () =>
    expectSurvival('mapped-file', ['a SIGBUS that somebody sends, with a handler from before']),
  );
});
