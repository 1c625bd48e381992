import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Host } from 'standstill';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Workshop } from '../fixtures/bundles.js';

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const CHILD = fileURLToPath(new URL('./children/maintain.mjs', import.meta.url));
const CLOCK_CHILD = fileURLToPath(new URL('./children/clock-set.mjs', import.meta.url));
const TIMEOUT_MS = 120_000;

let workshop: Workshop;
let directory: string;
beforeEach(async () => {
  workshop = new Workshop();
  directory = join(workshop.path, 'host');
  await using host = await Host.create({ directory });
  await workshop.install(host);
});
afterEach(() => workshop[Symbol.dispose]());

async function argumentsOf(options: object, files?: Record<string, Buffer>): Promise<string[]> {
  const key = join(workshop.path, 'key.pub.pem');
  writeFileSync(key, workshop.keys.publicKey);
  return [CHILD, directory, await workshop.bundle({}, files), key, JSON.stringify(options)];
}

async function maintain(trouble: string, options: object = {}) {
  const args = ['--import', fixture('trouble-at-switch.mjs'), ...(await argumentsOf(options))];
  const env = { ...process.env, TROUBLE: trouble };
  const child = spawnSync(process.execPath, args, { env, encoding: 'utf8', timeout: TIMEOUT_MS });
  return { signal: child.signal, stderr: child.stderr, said: child.signal === null ? JSON.parse(child.stdout) : null };
}

it('control: without trouble the new version is committed', { timeout: TIMEOUT_MS }, async () => {
  const { said, stderr } = await maintain('none', { budgetMs: 20_000 });
  expect(stderr).toBe('');
  expect(said).toMatchObject({ ok: true, result: 'done', resumedBy: 'caller', update: 'committed', version: '1.1.0' });
});

it('the deadline strikes between the look at the freeze and the switch, with the event loop blocked: taken back', {
  timeout: TIMEOUT_MS,
}, async () => {
  const { said } = await maintain('late', { budgetMs: 1000, blockMs: 5000, handshakeTimeoutMs: 900 });
  expect(said).toMatchObject({ ok: false, result: 'aborted: budget', resumedBy: 'deadline', version: '1.0.0' });
  expect(said.update).toBe('rolled-back');
  expect(said.patches[0]).toMatchObject({ ok: false, error: { code: 'ERR_PATCH_BUDGET' } });
  // It was late, and the journal says so: it was current for a moment, and is no more.
  expect(said.journal.at(-1)).toBe('rolled-back');
  expect(said.journal).toContain('switched');
});

it('a worker that ends at the switch: taken back by another one', { timeout: TIMEOUT_MS }, async () => {
  const { said } = await maintain('exit', { budgetMs: 20_000 });
  expect(said).toMatchObject({ ok: false, result: 'aborted: patch', update: 'rolled-back', version: '1.0.0' });
  expect(said.patches[0]).toMatchObject({ error: { code: 'ERR_PATCH_EXITED' } });
});

it('a process that is killed in the freeze: the next host has the old version, and says so', {
  timeout: TIMEOUT_MS,
}, async () => {
  expect((await maintain('die')).signal).toBe('SIGKILL');
  await using host = await Host.create({ directory });
  expect(host.components.recovery).toMatchObject({
    lastStep: 'prepared',
    outcome: 'rolled-back',
    components: [{ name: 'agent', version: '1.0.0' }],
  });
  expect(await host.components.verify('agent')).toMatchObject({ version: '1.0.0' });
});

it.each([
  ['begin', '1.0.0'],
  ['staged', '1.0.0'],
  ['verified', '1.0.0'],
  ['prepared', '1.0.0'],
  ['switched', '1.0.0'],
  ['healthy', '1.0.0'],
  ['committed', '1.1.0'],
  ['closed', '1.1.0'],
])(
  'a process that is killed behind the step %s of its maintenance: the next one has %s, whole, and can go on',
  {
    timeout: TIMEOUT_MS,
  },
  async (step, version) => {
    const args = ['--import', fixture('die-at.mjs'), ...(await argumentsOf({ budgetMs: 20_000 }))];
    const env = { ...process.env, DIE_BEHIND: `"step":"${step}"` };
    expect(spawnSync(process.execPath, args, { env, timeout: TIMEOUT_MS }).signal).toBe('SIGKILL');
    await using host = await Host.create({ directory, trustedKeys: [workshop.keys.publicKey] });
    expect(await host.components.verify('agent')).toMatchObject({ version });
    const outcome = version === '1.1.0' ? 'committed' : 'rolled-back';
    expect(host.components.recovery).toEqual(
      step === 'closed' ? null : expect.objectContaining({ lastStep: step, outcome }),
    );
    if (version === '1.1.0') return;
    const bundle = args.find((argument) => argument.endsWith('.tar.gz')) ?? '';
    expect((await host.applyMaintenance({ patches: [{ bundle }] })).update).toMatchObject({ outcome: 'committed' });
  },
);

it('a disk that is full while a bundle is staged: a clear error, the VMs run, and the store is whole', {
  timeout: TIMEOUT_MS,
}, async () => {
  const args = await argumentsOf(
    {},
    { 'image.bin': Buffer.from(Array.from({ length: 6 << 20 }, (_, i) => (i * i) >> 7)) },
  );
  // A file system of the test's own, too small for the new version.
  const shell = `mount -t tmpfs -o size=4m none /mnt && cp -a "$1" /mnt/host && shift && exec "$0" "$@"`;
  const [child = '', folder = '', ...rest] = args;
  const command = ['-m', 'sh', '-c', shell, process.execPath, folder, child, '/mnt/host', ...rest];
  const { stdout, stderr } = spawnSync('unshare', command, { encoding: 'utf8', timeout: TIMEOUT_MS });
  expect(stderr).toBe('');
  const said = JSON.parse(stdout);
  expect(said).toMatchObject({ code: 'ERR_STORE_IO', message: expect.stringContaining('ENOSPC'), version: '1.0.0' });
  expect(said.journal.at(-1)).toBe('rolled-back');
});

// Debian: apt-get install faketime.
const FAKETIME = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/faketime/libfaketimeMT.so.1`;

it.skipIf(!existsSync(FAKETIME)).each([
  ['-1h', 'slew', -3_600_000],
  ['+1h', 'step', 3_600_000],
])(
  "a host whose clock is set by %s in the middle: its guests' clocks %s, all else is as it was",
  {
    timeout: TIMEOUT_MS,
  },
  async (offset, syncedBy, jumpMs) => {
    const [, ...args] = await argumentsOf({});
    const file = join(workshop.path, 'offset');
    writeFileSync(file, '+0');
    const { stdout, stderr } = spawnSync(process.execPath, [CLOCK_CHILD, ...args.slice(0, 3), file, offset], {
      env: {
        ...process.env,
        LD_PRELOAD: FAKETIME,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
      },
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
    });
    expect(stderr).toBe('');
    const said = JSON.parse(stdout);
    expect(said).toMatchObject({ ok: true, problems: [], result: 'done', update: 'committed', version: '1.1.0' });
    expect(said).toMatchObject({ memory: 'preserved', syncedBy, wallGrew: true });
    // The jump itself, so that the test is of what it says.
    expect(Math.abs(said.jumpedMs - jumpMs)).toBeLessThan(60_000);
    expect(said.atMs).toEqual(said.atMs.toSorted((a: number, b: number) => a - b));
  },
);
