import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { planServe, type ServeFlags } from '../../../src/cli/serve/plan.js';

const folder = mkdtempSync(join(tmpdir(), 'standstill-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const FLAGS: ServeFlags = {
  vm: ['web-0', 'web-1'],
  program: 'ticker',
  memory: '1MiB',
  metadata: '127.0.0.1:0',
  spread: 'port',
  color: false,
};
const plan = (flags: Partial<ServeFlags>) => planServe({ ...FLAGS, ...flags }, undefined);

function scheduleFile(text: string): string {
  const path = join(folder, 'schedule.yaml');
  writeFileSync(path, text);
  return path;
}

it('raises an event of all VMs, or of those that are named', async () => {
  const { events } = await plan({ raise: ['freeze', 'Reboot=web-1'], duration: 2000 });
  expect(events).toMatchObject([
    { type: 'Freeze', vms: undefined, after: 0, duration: 2000 },
    { type: 'Reboot', vms: ['web-1'] },
  ]);
});

it('joins flags and schedule file; a flag counts more', async () => {
  const schedule = scheduleFile(
    'timeScale: 10\nnotice: 1min\nsettle: 5s\nsets: { web: [web-0] }\nfaults: { web-0: [500] }',
  );
  const { metadata, faults } = await plan({
    schedule,
    settle: 100,
    set: ['web=web-0,web-1'],
    faults: ['web-1=404,delay 5s'],
  });
  expect(metadata).toMatchObject({ timeScale: 10, noticeMs: 60_000, settleMs: 100, sets: { web: ['web-0', 'web-1'] } });
  expect(faults).toEqual({ 'web-0': [500], 'web-1': ['404', 'delay 5s'] });
});

it('reads an empty schedule file', async () => {
  expect((await plan({ schedule: scheduleFile('') })).events).toEqual([]);
});

it.each<[Partial<ServeFlags>, string]>([
  [{ raise: ['Frieze'] }, "did you mean 'Freeze'"],
  [{ raise: ['Freeze=web-9'] }, 'the name of a --vm'],
  [{ set: ['web'] }, '--set'],
  [{ faults: ['web-7=500'] }, 'the name of a --vm'],
  [{ schedule: '/no/such/file' }, 'ENOENT'],
])('%j is refused', async (flags, message) => {
  await expect(plan(flags)).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringContaining(message),
  });
});

it.each([
  ['events: [{ type: Freeze, notise: 1s }]', "did you mean 'notice'"],
  ['events: [{ type: Freeze, notice: soon }]', "received 'soon'"],
  ['events: [{ type: Frieze }]', 'one of Freeze'],
  ['events: [{ vms: [web-0] }]', "either 'type' or 'hardwareFailure'"],
  ['events: [{ type: Freeze, hardwareFailure: true }]', "either 'type' or 'hardwareFailure'"],
  ['events: [{ type: Freeze, vms: [db] }]', 'the name of a --vm'],
  ['events: 5', 'a list of events'],
  ['[', 'a schedule file'],
])('the schedule file %j is refused', async (text, message) => {
  await expect(plan({ schedule: scheduleFile(text) })).rejects.toThrow(message);
});
