// The engine, as JavaScript has it. The cases use the addon itself, so that they measure the engine and not the
// validation of options; P2 asks through the library, as a user does.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

class EngineError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** @returns the library, or in one line why it is not there */
export async function loadLibrary() {
  const path = join(root, 'dist', 'index.js');
  if (!existsSync(path)) return { missing: 'dist/ is not built: run npm run build' };
  try {
    return { library: await import(path) };
  } catch (error) {
    return { missing: `dist/ does not load: ${error.message}` };
  }
}

export function loadAddon() {
  const path = process.env.STANDSTILL_ADDON ?? join(root, 'build', 'Release', 'standstill.node');
  if (!existsSync(path)) throw new Error(`Expected the addon at ${path} but found none: run npm run build`);
  const addon = createRequire(import.meta.url)(path);
  // Once for all of a process; the library has done it where it was loaded first.
  addon.initialise(EngineError);
  return addon;
}

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

/** A VM that runs, warm: every page of its working set has been there once. */
export async function createVm(
  addon,
  { name = 'bench', ramBytes = 64 * MIB, program = 'page-writer', params = {}, prefault = true } = {},
) {
  return addon.createVm({ name, ramBytes, program, params, seed: 1n, dutyCycle: 1, prefault });
}

export const FREEZE_OPTIONS = {
  budgetNs: 30e9,
  handshakeTimeoutNs: 1e9,
  syncMode: 'step',
  syncDelayNs: 0,
  slewPpm: 83_333,
};
export const HANDSHAKE_TIMEOUT_NS = 1e9;
