import { expect, it } from 'vitest';
import { ERROR_CODES } from '../../../src/base/error-codes.js';
import { addon } from '../../../src/native/addon.js';

it('every code of the engine is in the table, as one of the engine', () => {
  const ofEngine = Object.entries(ERROR_CODES).filter(([, entry]) => entry.raisedBy === 'engine');
  expect(ofEngine.map(([code]) => code).sort()).toEqual(addon.statusCodes().sort());
});

it.each(Object.entries(ERROR_CODES))('%s has a meaning and a remedy', (code, { meaning, remedy }) => {
  expect(code).toMatch(/^ERR_[A-Z_]+$/);
  expect(meaning).toMatch(/\.$/);
  expect(remedy).toMatch(/\.$/);
});
