// A schedule that pauses and resumes, and one whose resume finds nothing paused.
import { resolve } from 'node:path';
import { parseScenario, type RunRecord, runScenario } from 'standstill';
import { expect, it } from 'vitest';

const run = (schedule: string): Promise<RunRecord> => {
  const vms = '[{ name: web, count: 2, guest: { program: idle, memory: 1MiB } }]';
  const text = `name: paused\nvms: ${vms}\nschedule:\n${schedule}`;
  return runScenario(parseScenario(text, { path: resolve(import.meta.dirname, 'scenario.yaml') }));
};
const moments = ({ log }: RunRecord): string[] =>
  log.flatMap((entry) =>
    entry.type === 'vm-paused' || entry.type === 'vm-resumed' ? [`${entry.type} ${entry.vm}`] : [],
  );
const PAUSE = '  - { at: 0s, pause: { vms: [web] } }\n';

it('pauses the VMs of an entry, and resumes the one that is named', async () => {
  const record = await run(`${PAUSE}  - { after: pause, delay: 50ms, resume: { vms: [web-1] } }`);
  expect(record.result).toBe('passed');
  expect(moments(record)).toEqual(['vm-paused web-0', 'vm-paused web-1', 'vm-resumed web-1']);
});

it('control: without the resume they stay paused', async () => {
  expect(moments(await run(PAUSE))).toEqual(['vm-paused web-0', 'vm-paused web-1']);
});

it('fails where a resume finds a VM that is not paused', async () => {
  const twice = `${PAUSE}  - { id: first, after: pause, resume: { vms: [web] } }\n  - { after: first, resume: { vms: [web-0] } }`;
  const record = await run(twice);
  expect(record.result).toBe('failed');
  expect(record.expectations.flatMap(({ ok, detail }) => (ok ? [] : detail))).toEqual([
    expect.stringMatching(/^resume-2: VM 'web-0' was not paused but (running|idle)$/),
  ]);
});
