// The package as its users get it: packed, installed in an empty folder, without a compiler and with one.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  listPackage,
  pack,
  ROOT,
  temporaryFolder,
  type UserFolder,
  userFolder,
  withoutPrebuilds,
} from '../fixtures/packed.js';

const PACKED_BYTES_MAX = 3 * 1024 ** 2;
/** glibc 2.34: Ubuntu 22.04, Debian 12, RHEL 9. Where it is older, the engine is built. */
const GLIBC_MINOR_MAX = 34;
const SYSTEM_LIBRARIES = ['ld-linux-x86-64.so.2', 'libc.so.6', 'libgcc_s.so.1', 'libm.so.6'];

// Compilers and npm are at work.
vi.setConfig({ testTimeout: 400_000, hookTimeout: 400_000 });

const folder = temporaryFolder();
let tarball = '';
beforeAll(() => {
  tarball = pack(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const install = (user: UserFolder, file: string, options?: { compilers?: boolean }) =>
  user.run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', file], options);

describe('the tarball', () => {
  it('holds what its users need, and nothing else', async () => {
    const files = await listPackage(tarball);
    const paths = files.map(({ path }) => path);
    expect([...new Set(paths.map((path) => path.split('/')[0]))].sort()).toEqual([
      'CHANGELOG.md',
      'CMakeLists.txt',
      'LICENSE',
      'README.md',
      'bench',
      'dist',
      'docs',
      'examples',
      'native',
      'package.json',
      'prebuilds',
      'schemas',
      'scripts',
      'src',
    ]);
    expect(paths.filter((path) => path.startsWith('prebuilds/')).sort()).toEqual([
      'prebuilds/linux-x64/standstill-supervisor',
      'prebuilds/linux-x64/standstill.glibc.node',
      'prebuilds/linux-x64/standstill_bench_limits',
      'prebuilds/linux-x64/standstill_bench_store_cost',
    ]);
    const isLeftOver = (path: string) => /\.(test\.\w+|map|log|tgz)$|\.tsbuildinfo$/.test(path);
    expect(paths.filter((path) => isLeftOver(path) && !path.startsWith('examples/'))).toEqual([]);
    expect(paths.filter((path) => /^src\/(?!(dashboard|report)\/page\/)/.test(path))).toEqual([]);
    const packedBytes = statSync(tarball).size;
    const unpackedBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    console.log(`package: ${packedBytes} bytes packed, ${unpackedBytes} bytes unpacked, ${files.length} files`);
    expect(packedBytes).toBeLessThan(PACKED_BYTES_MAX);
  });

  it('names only entry points that are there, with types that resolve', () => {
    const tool = (name: string, ...args: string[]) =>
      execFileSync(join(ROOT, 'node_modules/.bin', name), args, { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    tool('publint', 'run', tarball, '--strict');
    // `require` of an ES module is what Node 20.19 does; TypeScript 5.6 inside of attw does not know that yet.
    tool('attw', tarball, '--profile', 'node16', '--ignore-rules', 'cjs-resolves-to-esm');
  });
});

describe('installed where there is no compiler', () => {
  let user: UserFolder;
  const installed = (...path: string[]) => join(user.path, 'node_modules/standstill', ...path);
  beforeAll(async () => {
    user = userFolder(folder, 'without-compiler');
    expect((await user.run('sh', ['-c', 'command -v cmake c++ g++ gcc cc make'])).stdout).toBe('');
    expect(await install(user, tarball)).toMatchObject({ exitCode: 0 });
  });

  it('takes the prebuilt engine, and builds nothing', () => {
    expect(existsSync(installed('build'))).toBe(false);
  });

  it('brings programs that any Linux with glibc 2.34 runs, and that are stripped', () => {
    for (const name of readdirSync(installed('prebuilds/linux-x64'))) {
      const elf = execFileSync('readelf', ['-W', '-d', '-S', '-V', installed('prebuilds/linux-x64', name)]).toString();
      const minors = [...elf.matchAll(/Name: GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
      const libraries = [...elf.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, library]) => library ?? '');
      expect(minors, name).not.toEqual([]);
      expect(Math.max(...minors), name).toBeLessThanOrEqual(GLIBC_MINOR_MAX);
      expect(
        libraries.filter((library) => !SYSTEM_LIBRARIES.includes(library)),
        name,
      ).toEqual([]);
      expect(elf, name).not.toContain('.symtab');
    }
  });

  it('runs the first command of the README', async () => {
    const { exitCode, stdout, stderr } = await user.run('npx', ['standstill', 'run', '--duration', '100ms', '--json']);
    expect(stderr).toBe('');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true });
  });

  it('writes a first scenario, and runs it with a report', async () => {
    expect(await user.run('npx', ['standstill', 'init'])).toMatchObject({ exitCode: 0 });
    const args = ['standstill', 'run', 'scenario.yaml', '--report', 'report.html', '--json'];
    const { exitCode, stdout, stderr } = await user.run('npx', args);
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ result: 'passed' });
    expect(readFileSync(join(user.path, 'report.html'), 'utf8')).toContain('</html>');
  });

  it('freezes a real program: the supervisor is there and may be executed', async () => {
    const args = [
      'standstill',
      'run',
      '--process',
      '/bin/sleep 60',
      '--freezer',
      'signal',
      '--freeze',
      '50ms',
      '--json',
    ];
    expect(await user.run('npx', args)).toMatchObject({ exitCode: 0 });
  });

  it('measures beside the limits of the machine, with no compiler', async () => {
    const args = ['standstill', 'bench', '--quick', '--only', 'pause', '--json'];
    const { exitCode, stdout, stderr } = await user.run('npx', args);
    expect(exitCode, stderr).toBe(0);
    const { metrics } = JSON.parse(stdout);
    expect(metrics.length).toBeGreaterThan(0);
    expect(stdout).not.toContain('cmake was not found');
    expect(existsSync(installed('build-bench'))).toBe(false);
  });

  it('runs the quick start of the README as an ES module', async () => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
    const [quickStart = '', patch = ''] = [
      ...(readme.split('## The API in ten lines')[1] ?? '').matchAll(/```js\n([\s\S]*?)```/g),
    ].map(([, code]) => code);
    user.write('quick-start.mjs', quickStart);
    user.write('my-patch.mjs', patch);
    const { exitCode, stdout, stderr } = await user.run('node', ['quick-start.mjs']);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^true preserved \d+ \S+\n\d+n?\n$/);
    expect(exitCode).toBe(0);
  });

  it('is required from CommonJS', async () => {
    user.write(
      'required.cjs',
      `const { EmulatedVm } = require('standstill');
       EmulatedVm.create({ program: 'idle', memory: '1 MiB' }).then((vm) => {
         console.log(vm.state);
         vm.close();
       });`,
    );
    expect(await user.run('node', ['required.cjs'])).toMatchObject({ exitCode: 0, stdout: 'created\n' });
  });

  // Jest is no dependency of this project: it brings more packages than all others together.
  it('is tested by Jest, as in examples/jest', async () => {
    const jest = userFolder(folder, 'with-jest');
    for (const name of ['package.json', 'maintenance.test.mjs']) {
      jest.write(name, readFileSync(join(ROOT, 'examples/jest', name), 'utf8'));
    }
    expect(await install(jest, tarball)).toMatchObject({ exitCode: 0 });
    const { exitCode, stderr } = await jest.run('npm', ['test']);
    expect(stderr).toMatch(/Tests: +2 passed, 2 total/);
    expect(exitCode).toBe(0);
  });

  it('gives Vitest its matchers and fixtures, as in examples/vitest', async () => {
    const vitest = userFolder(folder, 'with-vitest');
    for (const name of readdirSync(join(ROOT, 'examples/vitest')).filter((file) => file.endsWith('.mjs'))) {
      vitest.write(name, readFileSync(join(ROOT, 'examples/vitest', name), 'utf8'));
    }
    expect(await install(vitest, tarball)).toMatchObject({ exitCode: 0 });
    const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(await install(vitest, `vitest@${devDependencies.vitest}`)).toMatchObject({ exitCode: 0 });
    const { exitCode, stdout, stderr } = await vitest.run('npx', ['vitest', 'run', '--no-color']);
    expect(exitCode, stdout + stderr).toBe(0);
    expect(stdout).toMatch(/Tests +\d+ passed/);
  });

  it('resolves its published schemas', async () => {
    const names = readdirSync(join(ROOT, 'schemas'));
    const code = `for (const name of ${JSON.stringify(names)})
      require(require.resolve('standstill/schemas/' + name)).$schema || process.exit(1)`;
    expect(await user.run('node', ['-e', code])).toMatchObject({ exitCode: 0 });
  });

  it('gives types to ES modules and to CommonJS', async () => {
    const use = `
export async function blackoutNs(): Promise<number> {
  await using host = await Host.create();
  const vm = await host.createVm({ program: 'kv-store', memory: '1 MiB' });
  vm.start();
  const report: MaintenanceReport = await host.applyMaintenance({ patches: [], budgetMs: 1000 });
  // @ts-expect-error: no such option
  await host.createVm({ programme: 'kv-store' });
  return report.vms[0]?.blackoutNs ?? 0;
}\n`;
    user.write('use.mts', `import { Host, type MaintenanceReport } from 'standstill';${use}`);
    user.write(
      'use.cts',
      `import standstill = require('standstill');
import Host = standstill.Host;
type MaintenanceReport = standstill.MaintenanceReport;${use}`,
    );
    const args = [
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      ...['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023'],
      ...['--lib', 'es2023,esnext.disposable', '--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')],
      ...['use.mts', 'use.cts'],
    ];
    expect(await user.run('node', args)).toMatchObject({ exitCode: 0, stdout: '' });
  });
});

describe('without a prebuilt engine', () => {
  let bare = '';
  beforeAll(async () => {
    bare = await withoutPrebuilds(tarball, folder);
  });

  it('builds one where there is a compiler', async () => {
    const user = userFolder(folder, 'with-compiler');
    expect(await install(user, bare, { compilers: true })).toMatchObject({ exitCode: 0 });
    const { exitCode, stdout } = await user.run('npx', ['standstill', 'run', '--duration', '100ms', '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true });
  });

  it('says in one sentence what is missing where there is none', async () => {
    const user = userFolder(folder, 'with-neither');
    const { exitCode, stderr } = await install(user, bare);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/standstill: the package holds no engine for linux-x64; building it\n/);
    expect(stderr.match(/standstill: cmake was not found: install cmake 3\.22 or newer/g)).toHaveLength(1);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('says how to get one where npm was told to run no scripts', async () => {
    const user = userFolder(folder, 'without-scripts');
    const args = ['install', '--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts', bare];
    expect(await user.run('npm', args)).toMatchObject({ exitCode: 0 });
    const { exitCode, stderr } = await user.run('npx', ['standstill', 'run']);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/ERR_ADDON_NOT_BUILT/);
    expect(stderr).toContain('npm rebuild standstill');
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});
