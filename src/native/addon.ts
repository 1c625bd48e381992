import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { messageOf, StandstillError } from '../base/errors.js';
import type { Addon } from './contract.js';

const BUILT_ADDON_PATH = fileURLToPath(new URL('../../build/Release/standstill.node', import.meta.url));

/** The native engine, loaded once per environment. STANDSTILL_ADDON names another build of it (the tests' control build). */
export const addon: Addon = loadAddon(process.env.STANDSTILL_ADDON ?? BUILT_ADDON_PATH);

function loadAddon(path: string): Addon {
  let loaded: Addon;
  try {
    loaded = createRequire(import.meta.url)(path);
  } catch (cause) {
    throw new StandstillError(
      'ERR_ADDON_NOT_BUILT',
      `Expected the native addon at ${path} but could not load it: ${messageOf(cause)}. ` +
        'Run `npm run build` in the package; it needs a C++20 compiler and cmake.',
      { cause },
    );
  }
  // A test holds every code of the engine against the table.
  loaded.initialise(StandstillError as new (code: string, message: string) => Error);
  return loaded;
}
