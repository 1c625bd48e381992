import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Host, readBundleHead, readKey } from 'standstill';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ComponentStore } from '../../dist/components/store.js';
import { Update } from '../../dist/components/update.js';
import { Workshop } from '../fixtures/bundles.js';

let workshop: Workshop;
let directory: string;
let host: Host;
let store: ComponentStore;
beforeEach(async () => {
  workshop = new Workshop();
  directory = join(workshop.path, 'host');
  host = await Host.create({ directory });
  store = host.components;
});
afterEach(async () => {
  await host.close();
  workshop[Symbol.dispose]();
});

async function update(path: string, trusted = workshop.keys.publicKey): Promise<Update> {
  const { manifest } = await readBundleHead(path);
  const begun = Update.begin(store.root, `update-${manifest.to}`, [{ path, manifest }]);
  await begun.stage({ path, manifest }, [await readKey(trusted, 'public')]);
  await begun.verify({ path, manifest });
  begun.prepare();
  return begun;
}

async function reopen(): Promise<void> {
  await host.close();
  host = await Host.create({ directory });
  store = host.components;
}

it('needs no setting up: an empty one is an empty list, and nothing is on disk', () => {
  expect(store.list()).toEqual([]);
  expect(store.recovery).toBeNull();
  expect(store.journal()).toEqual([]);
  expect(existsSync(store.root)).toBe(false);
});

it('installs, and still has it when the host is created again', async () => {
  await workshop.install(host, 'kernel', '5.0.0', false);
  await workshop.install(host);
  const installed = store.list();
  expect(installed).toMatchObject([
    { name: 'agent', version: '1.0.0', previousVersion: null, allowsPause: true, files: [{ path: 'bin/agent' }] },
    { name: 'kernel', version: '5.0.0', previousVersion: null, allowsPause: false },
  ]);
  await reopen();
  expect(store.list()).toEqual(installed);
  expect(readFileSync(join(store.get('agent')?.folder ?? '', 'bin/agent'), 'utf8')).toBe('agent 1.0.0');
});

it.each([
  [{ component: '../agent' }, 'ERR_INVALID_OPTION'],
  [{ version: '1' }, 'ERR_INVALID_OPTION'],
  [{ path: 'x' }, 'ERR_UNKNOWN_OPTION'],
])('does not install %j', async (options, code) => {
  const whole = { component: 'agent', version: '1.0.0', files: workshop.folder(), ...options };
  await expect(store.install(whole)).rejects.toMatchObject({ code });
  expect(store.list()).toEqual([]);
});

it('does not install a component twice', async () => {
  await workshop.install(host);
  await expect(workshop.install(host)).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' });
});

it('an update changes what is current in its switch, and a rollback restores the version before', async () => {
  await workshop.install(host);
  const begun = await update(await workshop.bundle());
  expect(store.get('agent')?.version).toBe('1.0.0');
  begun.switch('agent', null);
  expect(store.get('agent')?.version).toBe('1.1.0');
  await begun.checkHealth();
  begun.commit();
  expect(await store.verify('agent')).toMatchObject({ version: '1.1.0', previousVersion: '1.0.0' });
  expect(store.journal().map(({ step }) => step)).toEqual([
    'begin',
    'staged',
    'verified',
    'prepared',
    'switched',
    'healthy',
    'committed',
    'closed',
  ]);
  expect(await store.rollback('agent')).toMatchObject({ version: '1.0.0', previousVersion: '1.1.0' });
  expect(readFileSync(join(store.get('agent')?.folder ?? '', 'bin/agent'), 'utf8')).toBe('agent 1.0.0');
});

it('keeps the current version and the one before, and no others', async () => {
  await workshop.install(host);
  for (const to of ['1.1.0', '1.2.0', '1.3.0']) {
    const begun = await update(await workshop.bundle({ to }, { 'bin/agent': to }));
    begun.switch('agent', null);
    begun.commit();
  }
  const versions = readdirSync(join(store.root, 'agent', 'versions')).map((name) => name.split('@')[0]);
  expect(versions.sort()).toEqual(['1.2.0', '1.3.0']);
});

it('an update that is taken back leaves nothing', async () => {
  await workshop.install(host);
  const begun = await update(await workshop.bundle());
  begun.switch('agent', 7);
  begun.rollBack('a test');
  expect(store.get('agent')).toMatchObject({ version: '1.0.0', previousVersion: null });
  expect(readdirSync(join(store.root, 'agent')).sort()).toEqual(['component.json', 'current', 'versions']);
  expect(readdirSync(join(store.root, 'agent', 'versions'))).toHaveLength(1);
  expect(store.journal().at(-1)).toMatchObject({ step: 'rolled-back', reason: 'a test' });
});

it('a rollback without a version before is refused', async () => {
  await expect(store.rollback('agent')).rejects.toMatchObject({ code: 'ERR_COMPONENT_NOT_FOUND' });
  await workshop.install(host);
  await expect(store.rollback('agent')).rejects.toMatchObject({ code: 'ERR_COMPONENT_NOT_FOUND' });
});

it('damage of what is installed is found', async () => {
  await workshop.install(host);
  writeFileSync(join(store.get('agent')?.folder ?? '', 'bin/agent'), 'other bytes');
  await expect(store.verify('agent')).rejects.toMatchObject({ code: 'ERR_BUNDLE_DIGEST' });
});

it('a line that a crash has torn is cut off', async () => {
  await workshop.install(host);
  (await update(await workshop.bundle())).rollBack('a test');
  const whole = store.journal();
  appendFileSync(join(store.root, 'journal.jsonl'), '{"update":"torn","st');
  expect(store.journal()).toEqual(whole);
  await reopen();
  (await update(await workshop.bundle())).rollBack('another test');
  expect(store.journal().slice(0, whole.length)).toEqual(whole);
});

it('a journal that is none is said to be', async () => {
  mkdirSync(store.root, { recursive: true });
  writeFileSync(join(store.root, 'journal.jsonl'), 'no journal\n');
  await host.close();
  await expect(Host.create({ directory })).rejects.toMatchObject({ code: 'ERR_STORE_DAMAGED' });
});

it('is of one host at a time', async () => {
  await expect(Host.create({ directory })).rejects.toMatchObject({ code: 'ERR_STORE_BUSY' });
  await reopen();
});

describe('where the system refuses', () => {
  it('a file in the place of the folder', async () => {
    writeFileSync(store.root, 'a file');
    await expect(workshop.install(host)).rejects.toMatchObject({ code: 'ERR_STORE_IO', message: /EEXIST|ENOTDIR/ });
  });

  it('a folder that cannot be written', async () => {
    // Even root cannot write there; the namespace is the test's own.
    const script = `
      import { Host } from 'standstill';
      const host = await Host.create({ directory: '/mnt/host' });
      const files = ${JSON.stringify(workshop.folder())};
      await host.components.install({ component: 'agent', version: '1.0.0', files }).catch((e) => console.log(e.code, e.message));
      await host.close();`;
    const shell = `mount -t tmpfs none /mnt && mkdir /mnt/host && mount -o remount,ro /mnt && exec "$0" --input-type=module --eval "$1"`;
    const said = execFileSync('unshare', ['-m', 'sh', '-c', shell, process.execPath, script], { encoding: 'utf8' });
    expect(said).toMatch(/^ERR_STORE_IO .*(EROFS|ENOENT)/);
  });
});
