import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

/** The layers of docs/ARCHITECTURE.md: each folder, and what it may use besides itself. */
const NATIVE = {
  addon: ['engine', 'process', 'memory', 'port', 'util', 'include'],
  engine: ['snapshot', 'memory', 'port', 'util', 'include'],
  snapshot: ['memory', 'port', 'util', 'include'],
  guest: ['memory', 'util', 'include'],
  memory: ['port', 'util', 'include'],
  process: ['port', 'util', 'include'],
  supervisor: ['process', 'port', 'util'],
  port: ['util'],
  util: [],
  include: ['util'],
};
const LIBRARY = {
  '.': [
    'scenario',
    'metrics',
    'probe',
    'report',
    'bench',
    'dashboard',
    'fleet',
    'host',
    'maintenance',
    'process',
    'scheduled-events',
    'components',
    'vm',
    'snapshot',
    'native',
    'base',
  ],
  cli: [
    'doctor',
    'scenario',
    'metrics',
    'gate',
    'report',
    'dashboard',
    'bench',
    'fleet',
    'host',
    'maintenance',
    'process',
    'scheduled-events',
    'components',
    'vm',
    'snapshot',
    'native',
    'base',
    '.',
  ],
  doctor: ['bench', 'host', 'process', 'vm', 'snapshot', 'native', 'base'],
  metrics: ['probe', 'fleet', 'host', 'scheduled-events', 'native', 'base'],
  probe: ['fleet', 'host', 'maintenance', 'scheduled-events', 'components', 'vm', 'snapshot', 'native', 'base'],
  report: ['probe', 'fleet', 'host', 'maintenance', 'process', 'scheduled-events', 'native', 'base'],
  testing: ['.', 'fleet', 'host', 'maintenance', 'process', 'vm', 'snapshot', 'native', 'base'],
  bench: [
    'fleet',
    'host',
    'maintenance',
    'process',
    'scheduled-events',
    'components',
    'vm',
    'snapshot',
    'native',
    'base',
  ],
  scenario: [
    'report',
    'probe',
    'fleet',
    'host',
    'maintenance',
    'process',
    'scheduled-events',
    'components',
    'vm',
    'snapshot',
    'native',
    'base',
  ],
  fleet: ['host', 'process', 'maintenance', 'scheduled-events', 'components', 'vm', 'snapshot', 'native', 'base'],
  dashboard: ['fleet', 'host', 'maintenance', 'process', 'scheduled-events', 'vm', 'base'],
  host: ['maintenance', 'process', 'scheduled-events', 'components', 'vm', 'snapshot', 'native', 'base'],
  'scheduled-events': ['base'],
  maintenance: ['components', 'process', 'vm', 'snapshot', 'native', 'base'],
  components: ['native', 'base'],
  process: ['vm', 'snapshot', 'native', 'base'],
  vm: ['snapshot', 'native', 'base'],
  snapshot: ['native', 'base'],
  native: ['base'],
  gate: ['base'],
  base: [],
};

const root = resolve(import.meta.dirname, '../..');

function filesBelow(folder: string): string[] {
  return readdirSync(join(root, folder)).flatMap((name) => {
    const path = join(folder, name);
    return statSync(join(root, path)).isDirectory() ? filesBelow(path) : [path];
  });
}

const includesOf = (file: string) =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/^#include ([<"])([^>"]+)[>"]/gm)].map(([, kind, path]) => ({
    own: kind === '"',
    path: path ?? '',
  }));

const nativeFiles = filesBelow('native');
const nativeLayer = (file: string) => file.split('/')[1] ?? '';

/** Headers of C++ itself; anything else in angle brackets belongs to the system or to Node. */
const isStandardHeader = (path: string) => !path.includes('/') && !path.includes('.');

describe('the layers of the engine', () => {
  it('includes run only downward', () => {
    const wrong = nativeFiles.flatMap((file) => {
      const layer = nativeLayer(file) as keyof typeof NATIVE;
      return includesOf(file)
        .filter(({ own }) => own)
        .map(({ path }) => ({ path, to: path.startsWith('standstill/') ? 'include' : (path.split('/')[0] ?? '') }))
        .filter(({ to }) => to !== layer && !(NATIVE[layer] as string[]).includes(to))
        .map(({ path }) => `${file} includes ${path}`);
    });
    expect(wrong).toEqual([]);
  });

  // The supervisor is a program of its own that is made of system calls: no part of the engine, and used by none.
  it('only port/ and the supervisor include headers of the operating system', () => {
    const wrong = nativeFiles
      .filter((file) => !['port', 'supervisor'].includes(nativeLayer(file)))
      .flatMap((file) =>
        includesOf(file)
          .filter(({ own, path }) => !own && !isStandardHeader(path))
          // Vector intrinsics belong to the compiler, not to the system.
          .filter(({ path }) => !['napi.h', 'immintrin.h', 'arm_neon.h'].includes(path))
          .map(({ path }) => `${file} includes <${path}>`),
      );
    expect(wrong).toEqual([]);
  });

  it('only addon/ includes napi.h', () => {
    const wrong = nativeFiles.filter(
      (file) => nativeLayer(file) !== 'addon' && includesOf(file).some(({ path }) => /napi|node_api/.test(path)),
    );
    expect(wrong).toEqual([]);
  });
});

describe('the layers of the library', () => {
  it('imports run only downward', () => {
    const layerOf = (file: string) => {
      const folder = dirname(relative('src', file)).split('/')[0] ?? '.';
      return folder as keyof typeof LIBRARY;
    };
    const wrong = filesBelow('src')
      .filter((file) => file.endsWith('.ts'))
      .flatMap((file) => {
        const layer = layerOf(file);
        return [...readFileSync(join(root, file), 'utf8').matchAll(/from '(\.[^']+)'/g)]
          .map(([, path]) => relative(root, resolve(root, dirname(file), path ?? '')))
          .filter((path) => path.startsWith('src/'))
          .filter((path) => layerOf(path) !== layer && !(LIBRARY[layer] as string[]).includes(layerOf(path)))
          .map((path) => `${file} imports ${path}`);
      });
    expect(wrong).toEqual([]);
  });
});
