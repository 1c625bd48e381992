// Ctrl-C in the middle of what the snapshot commands do: the files of before are whole, and nothing is left over.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli, startCli } from '../fixtures/cli.js';

const CREATE = ['snapshot', 'create', '--program', 'page-writer', '--memory', '256MiB', '--seed', '1', '--json'];
const STEPS_TO_WRITE_MOST_PAGES = 200_000;
const STEPS_WITHOUT_END = 2 ** 50;

const folder = mkdtempSync(join(tmpdir(), 'standstill-test-'));
const at = (name: string) => join(folder, name);
const entries = () => readdirSync(folder).sort();

beforeAll(async () => {
  await create('--steps', STEPS_TO_WRITE_MOST_PAGES, '--out', at('base'));
  await create('--steps', 2 * STEPS_TO_WRITE_MOST_PAGES, '--out', at('differential'), '--base', at('base'));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

async function create(...args: (string | number)[]): Promise<void> {
  expect(await runCli([...CREATE, ...args.map(String)])).toMatchObject({ exitCode: 0, stderr: '' });
}

/** A thread of the engine's by that name: the command is at work, and listens. */
const hasThread = (name: string) => (child: ChildProcess) =>
  readdirSync(`/proc/${child.pid}/task`).some((task) => commOf(`/proc/${child.pid}/task/${task}/comm`) === name);
/** Where a file comes to be, it is a hidden one beside its place. */
const writes = () => entries().some((name) => name.startsWith('.'));

function commOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return ''; // the thread has ended meanwhile
  }
}

const COMMANDS: [what: string, args: () => string[], when: (child: ChildProcess) => boolean][] = [
  [
    'create, while the guest runs',
    () => [...CREATE, '--steps', String(STEPS_WITHOUT_END), '--out', at('new')],
    hasThread('standstill-vcpu'),
  ],
  [
    'create, while it writes',
    () => [...CREATE, '--steps', String(STEPS_TO_WRITE_MOST_PAGES), '--out', at('new')],
    writes,
  ],
  [
    'create, over a file that is there',
    () => [...CREATE, '--steps', String(STEPS_TO_WRITE_MOST_PAGES), '--out', at('base')],
    writes,
  ],
  [
    'create --compress, while it writes',
    () => [...CREATE, '--steps', String(STEPS_TO_WRITE_MOST_PAGES), '--out', at('new'), '--compress'],
    writes,
  ],
  ['compact', () => ['snapshot', 'compact', at('base'), at('differential'), '--out', at('new')], writes],
  ['export --raw', () => ['snapshot', 'export', at('base'), '--raw', at('new')], writes],
  ['export --elf', () => ['snapshot', 'export', at('base'), '--elf', at('new')], writes],
  ['verify', () => ['snapshot', 'verify', at('base')], hasThread('standstill-pool')],
];

describe.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s', (signal, code) => {
  // A command that is done before it hears of the signal is begun again.
  it.each(COMMANDS)('ends %s', { timeout: 120_000, retry: 3 }, async (_, args, when) => {
    const before = entries();
    const cli = startCli(args());
    await expect.poll(() => when(cli.child), { timeout: 60_000, interval: 1 }).toBe(true);
    cli.child.kill(signal);
    const { exitCode, stdout, stderr } = await cli.ended;
    expect({ exitCode, stdout, left: entries() }).toEqual({ exitCode: code, stdout: '', left: before });
    expect(stderr).toBe('Interrupted: no file was written, and nothing is left of what was under way.\n');
  });
});

it('the file that was to be replaced is as it was', { timeout: 120_000 }, async () => {
  expect(await runCli(['snapshot', 'verify', at('base')])).toMatchObject({ exitCode: 0 });
});
