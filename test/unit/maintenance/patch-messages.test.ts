import { expect, it } from 'vitest';
import { progressOf } from '../../../src/maintenance/patch-messages.js';

it('takes progress with and without a message', () => {
  expect(progressOf({ progress: 0.5 })).toEqual({ progress: 0.5 });
  expect(progressOf({ progress: 1, message: 'hashing', more: 1 })).toEqual({ progress: 1, message: 'hashing' });
});

it.each([
  null,
  undefined,
  1,
  'x',
  {},
  [],
  { progress: '1' },
  { progress: 2 },
  { progress: -0.1 },
  { progress: Number.NaN },
])('ignores %o, whatever a patch posts', (message) => {
  expect(progressOf(message)).toBeUndefined();
});
