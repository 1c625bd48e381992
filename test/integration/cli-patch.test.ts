import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCli, type TemporaryFolder, withTemporaryFolder } from '../fixtures/cli.js';

const DESCRIPTION = ['--id', 'p1', '--component', 'agent', '--from', '^1.0.0', '--to', '1.1.0', '--impact', 'pause'];

async function withBundle(
  use: (path: (name: string) => string, folder: TemporaryFolder) => Promise<void>,
): Promise<void> {
  await withTemporaryFolder(async (folder) => {
    const path = (name: string) => join(folder.path, name);
    mkdirSync(path('files'));
    writeFileSync(path('files/agent'), 'new agent');
    expect(await runCli(['patch', 'keygen', '--out', path('vendor')])).toMatchObject({ exitCode: 0, stderr: '' });
    const made = await runCli([
      ...['patch', 'create', ...DESCRIPTION, '--files', path('files'), '--key', path('vendor.key.pem')],
      ...['--dependency', 'kernel@>=5', '--expected', '40ms', '--out', path('patch.tar.gz')],
    ]);
    expect(made).toMatchObject({ exitCode: 0, stderr: '' });
    await use(path, folder);
  });
}

const json = (text: string) => JSON.parse(text);

it('makes keys and a bundle, shows it, and finds it whole', () =>
  withBundle(async (path, folder) => {
    expect(statSync(path('vendor.key.pem')).mode & 0o777).toBe(0o600);
    const shown = await runCli(['patch', 'inspect', path('patch.tar.gz')]);
    expect(shown.stdout).toMatch(/agent \^1\.0\.0 → 1\.1\.0.*pause, 40\.0 ms expected.*kernel >=5.*signed by/s);
    const { manifest, signature } = json((await runCli(['patch', 'inspect', path('patch.tar.gz'), '--json'])).stdout);
    expect(manifest).toMatchObject({
      id: 'p1',
      impact: 'pause',
      expectedDurationMs: 40,
      dependencies: { kernel: '>=5' },
    });
    const verified = await runCli(['patch', 'verify', path('patch.tar.gz'), '--key', path('vendor.pub.pem'), '--json']);
    expect(verified).toMatchObject({ exitCode: 0, stderr: '' });
    expect(json(verified.stdout)).toMatchObject({ ok: true, keyId: signature.keyId, files: 1, problem: null });
    expect(folder.entries().filter((name) => name.startsWith('.'))).toEqual([]);
  }));

it.each([
  [
    'signed by another key',
    async (path: (name: string) => string) => {
      await runCli(['patch', 'keygen', '--out', path('other')]);
      await runCli(['patch', 'sign', path('patch.tar.gz'), '--key', path('other.key.pem')]);
    },
    'ERR_BUNDLE_UNTRUSTED',
  ],
  [
    'not signed',
    async (path: (name: string) => string) => {
      await runCli(['patch', 'create', ...DESCRIPTION, '--files', path('files'), '--out', path('patch.tar.gz')]);
    },
    'ERR_BUNDLE_UNTRUSTED',
  ],
  [
    'damaged',
    async (path: (name: string) => string) => {
      const bytes = readFileSync(path('patch.tar.gz'));
      writeFileSync(path('patch.tar.gz'), bytes.subarray(0, bytes.length - 30));
    },
    'ERR_BUNDLE_INVALID',
  ],
] as const)('a bundle that is %s: exit code 1, and why', (_, spoil, code) =>
  withBundle(async (path) => {
    await spoil(path);
    const args = ['patch', 'verify', path('patch.tar.gz'), '--key', path('vendor.pub.pem')];
    const shown = await runCli(args);
    expect(shown).toMatchObject({ exitCode: 1, stderr: '' });
    expect(shown.stdout).toMatch(new RegExp(`✘ Expected .* \\(${code}\\)`));
    const printed = await runCli([...args, '--json']);
    expect(printed.exitCode).toBe(1);
    expect(json(printed.stdout)).toMatchObject({ ok: false, problem: { code } });
  }),
);

it('tells usage errors from failures, without a stack', () =>
  withBundle(async (path) => {
    const { exitCode, stderr } = await runCli(['patch', 'verify', path('patch.tar.gz'), '--key', path('nothing')]);
    expect([exitCode, stderr.includes('ERR_KEY_INVALID'), stderr.includes('    at ')]).toEqual([2, true, false]);
    expect((await runCli(['patch', 'verify', path('patch.tar.gz')])).exitCode).toBe(2);
    const again = await runCli(['patch', 'keygen', '--out', path('vendor')]);
    expect([again.exitCode, again.stderr]).toEqual([
      2,
      expect.stringMatching(/^error: Expected a name that no key has/),
    ]);
    expect((await runCli(['patch', 'create', '--impact', 'some'])).exitCode).toBe(2);
    expect((await runCli(['patch', '--help'])).stdout).toMatch(/keygen.*create.*sign.*inspect.*verify/s);
  }));

// A bug: of a folder named by a relative path, file names were cut by the length of the absolute one.
it('takes relative paths, as the README has them', () =>
  withBundle(async (_, { path: cwd }) => {
    const made = [
      'patch',
      'create',
      ...DESCRIPTION,
      '--files',
      './files',
      '--key',
      'vendor.key.pem',
      '--out',
      'own.tar.gz',
    ];
    expect(await runCli(made, {}, cwd)).toMatchObject({ exitCode: 0, stderr: '' });
    const shown = await runCli(['patch', 'inspect', 'own.tar.gz', '--json'], {}, cwd);
    expect(json(shown.stdout).manifest.files).toMatchObject([{ path: 'agent' }]);
  }));
