import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ComponentStore } from '../../dist/components/store.js';
import { Workshop } from '../fixtures/bundles.js';

const DIE_AT = fileURLToPath(new URL('../fixtures/die-at.mjs', import.meta.url));
const CHILD = fileURLToPath(new URL('./children/update.mjs', import.meta.url));

let workshop: Workshop;
beforeEach(() => {
  workshop = new Workshop();
});
afterEach(() => workshop[Symbol.dispose]());

it('an update that is killed at any of its calls leaves the old version or the new one, whole, and says which', {
  timeout: 300_000,
}, async () => {
  const key = join(workshop.path, 'key.pub.pem');
  writeFileSync(key, workshop.keys.publicKey);
  const bundle = await workshop.bundle();
  const pristine = join(workshop.path, 'pristine');
  const store = await ComponentStore.open(pristine);
  await store.install({ component: 'agent', version: '1.0.0', files: workshop.folder({ 'bin/agent': 'old agent' }) });

  const root = join(workshop.path, 'store');
  const outcomes = new Set<string>();
  const lastSteps = new Set<string>();
  for (let at = 1; ; at += 1) {
    rmSync(root, { recursive: true, force: true });
    cpSync(pristine, root, { recursive: true, verbatimSymlinks: true });
    const child = spawnSync(process.execPath, ['--import', DIE_AT, CHILD, root, bundle, key], {
      env: { ...process.env, DIE_AT: String(at), DIE_IN: 'main' },
      encoding: 'utf8',
    });
    if (child.signal === null) {
      expect(child).toMatchObject({ status: 0, stdout: 'committed\n' });
      break;
    }
    expect(child.signal).toBe('SIGKILL');
    const opened = await ComponentStore.open(root);
    const found = await opened.verify('agent');
    const content = readFileSync(join(found.folder, 'bin/agent'), 'utf8');
    expect(content, `killed at call ${at}`).toBe(found.version === '1.0.0' ? 'old agent' : 'new agent');
    const { recovery } = opened;
    if (recovery !== null) {
      lastSteps.add(recovery.lastStep);
      outcomes.add(recovery.outcome);
      const version = recovery.outcome === 'committed' ? '1.1.0' : '1.0.0';
      expect(recovery.components).toEqual([{ name: 'agent', version }]);
      expect(found.version).toBe(version);
      expect(found.previousVersion).toBe(version === '1.1.0' ? '1.0.0' : null);
    }
    expect(existsSync(join(root, '.staging', 'killed'))).toBe(false);
    opened.close();
    const again = await ComponentStore.open(root);
    expect(again.recovery, 'what is ended stays ended').toBeNull();
    again.close();
  }
  expect([...outcomes].sort()).toEqual(['committed', 'rolled-back']);
  expect([...lastSteps].sort()).toEqual([
    'begin',
    'committed',
    'healthy',
    'prepared',
    'staged',
    'switched',
    'verified',
  ]);
});
