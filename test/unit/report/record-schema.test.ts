import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runRecord } from '../../../src/report/record.js';
import { parseRunRecord, runRecordJsonSchema } from '../../../src/report/record-schema.js';

const stamp = { seq: 1, atNs: 5, wallTimeMs: 1_700_000_000_000 };
const record = runRecord({
  name: 'a run',
  seed: 7,
  startedAt: '2026-01-31T12:00:00.000Z',
  durationNs: 1e9,
  result: 'passed',
  log: [
    { ...stamp, type: 'host-created', host: 'host' },
    { ...stamp, seq: 2, type: 'vm-paused', host: 'host', vm: 'web-1' },
  ],
});

const json = (changes: object) => JSON.stringify({ ...record, ...changes });

describe('the record of a run', () => {
  it('has the JSON Schema that is published', async () => {
    const path = join(import.meta.dirname, '../../../schemas/run-record.schema.json');
    await expect(`${JSON.stringify(runRecordJsonSchema(), null, 2)}\n`).toMatchFileSnapshot(path);
  });

  it('is read as it was written, with what this version does not know', () => {
    const later = { ...record, extra: { of: 'a later version' } };
    expect(parseRunRecord(JSON.stringify(later), 'run.json')).toEqual(later);
  });

  it.each([
    ['an empty file', '', 'Expected the record of a run in run.json but received nothing'],
    ['no JSON', '\u0000\u0001', /^Expected the record of a run in run\.json but received no JSON: /],
    ['another JSON', '[]', 'Expected the record of a run in run.json but received an array of 0'],
    ['another version', json({ schemaVersion: 2 }), "'schemaVersion' of run.json but received 2"],
    ['a wrong word', json({ result: 'great' }), "Expected passed, failed or aborted for 'result' of run.json"],
    [
      'a wrong entry',
      json({ log: [{ ...stamp, type: 'vm-paused', host: 'a' }] }),
      "Expected text for 'log.0.vm' of run.json but received nothing",
    ],
    ['no time', json({ startedAt: 'yesterday' }), "'startedAt' of run.json but received 'yesterday'"],
    [
      'a missing part',
      json({ probes: undefined }),
      "Expected an array of probes for 'probes' of run.json but received nothing",
    ],
  ])('says what is wrong with %s', (_, text, message) => {
    let thrown: unknown;
    try {
      parseRunRecord(text, 'run.json');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({
      code: 'ERR_RECORD_INVALID',
      message: message instanceof RegExp ? expect.stringMatching(message) : expect.stringContaining(message),
    });
  });
});
