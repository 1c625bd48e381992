import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../../src/base/error-codes.js';
import { STATE_TABLE, type VmOperation } from '../../../src/vm/state-table.js';

const rows = Object.entries(STATE_TABLE);
const operations = Object.keys(STATE_TABLE.created) as VmOperation[];

describe.each(rows)('%s', (state, row) => {
  it('has an outcome for every operation', () => {
    expect(Object.keys(row).sort()).toEqual([...operations].sort());
  });

  it('names states and codes that there are', () => {
    for (const outcome of Object.values(row)) {
      if ('error' in outcome) expect(ERROR_CODES).toHaveProperty(outcome.error);
      else for (const to of outcome.to) expect(STATE_TABLE).toHaveProperty(to);
    }
  });

  it('can be closed', () => {
    expect(row.close).toEqual({ to: ['closed'] });
  });

  it('is left by nothing else once it is closed', () => {
    if (state !== 'closed') return;
    for (const operation of operations.filter((name) => name !== 'close')) {
      expect(row[operation]).toEqual({ error: 'ERR_VM_CLOSED' });
    }
  });
});
