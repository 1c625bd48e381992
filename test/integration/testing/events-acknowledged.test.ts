// Acknowledgements, of a run whose guest is a real agent, and of the same with one that acknowledges nothing.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseScenario, type RunRecord, runScenario } from 'standstill';
import { assertEventsAcknowledged } from 'standstill/testing';
import { expect, it } from 'vitest';
import 'standstill/vitest';

const TIMEOUT = { timeout: 120_000 };
const path = resolve(import.meta.dirname, '../../../examples/acknowledge/scenario.yaml');
const run = (change: (text: string) => string): Promise<RunRecord> =>
  runScenario(parseScenario(change(readFileSync(path, 'utf8')), { path }));

it('hold of an agent that acknowledges each event', TIMEOUT, async () => {
  const record = await run((text) => text);
  assertEventsAcknowledged(record);
  expect(record).toHaveAcknowledgedEvents();
  expect(() => expect(record).not.toHaveAcknowledgedEvents()).toThrow(/but of 1 1 were/);
  const begun = record.log.slice(
    0,
    record.log.findIndex(({ type }) => type === 'event-acknowledged'),
  );
  expect(() => assertEventsAcknowledged({ ...record, log: begun })).toThrow(/still have their notice/);
  expect(() => assertEventsAcknowledged({ ...record, log: record.log.slice(1) })).toThrow(/lost its first entries/);
});

it('control: do not of one that is too slow', TIMEOUT, async () => {
  const record = await run((text) =>
    text.replace('node agent.mjs', 'AGENT=slow exec node agent.mjs').replace('notice: 2min', 'notice: 1s'),
  );
  expect(record).not.toHaveAcknowledgedEvents();
  expect(() => assertEventsAcknowledged(record)).toThrow(/began with nobody's acknowledgement/);
});

it('are nothing to assert of a log without an event', () => {
  const error = expect.objectContaining({ code: 'ERR_INVALID_OPTION' });
  expect(() => assertEventsAcknowledged([])).toThrow(error);
  expect(() =>
    assertEventsAcknowledged([{ seq: 1, atNs: 0, type: 'service-enabled', vm: 'a', host: 'h' } as never]),
  ).toThrow(error);
});
