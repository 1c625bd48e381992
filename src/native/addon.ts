import { createRequire } from 'node:module';
import { messageOf, StandstillError } from '../base/errors.js';
import { findAddon } from './binaries.js';
import type { Addon } from './contract.js';

let loadedAddon: Addon | undefined;

/**
 * The native engine, loaded once per environment, at its first use: what needs none works without. STANDSTILL_ADDON names
 * another build of it (the tests' control build).
 */
export const addon = new Proxy({} as Addon, {
  get: (_, name) => {
    loadedAddon ??= loadAddon();
    return Reflect.get(loadedAddon, name);
  },
});

function loadAddon(): Addon {
  let loaded: Addon;
  try {
    loaded = createRequire(import.meta.url)(process.env.STANDSTILL_ADDON ?? findAddon());
  } catch (cause) {
    throw new StandstillError(
      'ERR_ADDON_NOT_BUILT',
      `Expected a native addon that loads but: ${messageOf(cause).trim().split('\n', 1)[0]}. ` +
        'Build it by `npm rebuild standstill`, in a checkout by `npm run build`; that needs a C++20 compiler and cmake.',
      { cause },
    );
  }
  // A test holds every code of the engine against the table.
  loaded.initialise(StandstillError as new (code: string, message: string) => Error);
  return loaded;
}
