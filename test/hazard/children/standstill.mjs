// What the hazard children share: the raw addon (the library is not involved), VMs and freezes with defaults, and
// looks at this process from outside.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ADDON_PATH =
  process.env.STANDSTILL_ADDON ?? fileURLToPath(new URL('../../../build/Release/standstill.node', import.meta.url));

export const MIB = 2 ** 20;
/** A step that no guest reaches. */
export const NEVER = 2 ** 52;

export class HazardError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Loads the addon without `initialise`. */
export function loadRaw() {
  return createRequire(import.meta.url)(ADDON_PATH);
}

/** Loads it a second time into the same environment. */
export function loadAgain() {
  const require = createRequire(import.meta.url);
  delete require.cache[require.resolve(ADDON_PATH)];
  return require(ADDON_PATH);
}

export function load() {
  const addon = loadRaw();
  addon.initialise(HazardError);
  return addon;
}

export function vmConfig(overrides = {}) {
  return {
    name: 'hazard',
    ramBytes: 4 * MIB,
    program: 'page-writer',
    params: {},
    seed: 1n,
    dutyCycle: 1,
    prefault: false,
    ...overrides,
  };
}

export async function startedVm(addon, overrides) {
  const vm = await addon.createVm(vmConfig(overrides));
  vm.start();
  return vm;
}

export function freezeOptions(overrides = {}) {
  return {
    budgetNs: 30e9,
    handshakeTimeoutNs: 5e9,
    clockSync: { mode: 'step', delayNs: 0, slewPpm: 500 },
    ...overrides,
  };
}

/** Guest threads of this process. */
export function guestThreads() {
  return readdirSync('/proc/self/task').filter((task) => {
    try {
      return readFileSync(`/proc/self/task/${task}/comm`, 'utf8').startsWith('standstill-vcpu');
    } catch {
      return false; // it ended meanwhile
    }
  }).length;
}

export function guestMappings() {
  return readFileSync('/proc/self/maps', 'utf8').split('standstill-guest-ram').length - 1;
}

export async function eventually(what, holds, withinMs = 10_000) {
  const until = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > until) throw new Error(`Expected ${what} within ${withinMs} ms`);
    await sleep(2);
  }
}

/** Collects garbage, and lets the finalizers run. Needs --expose-gc. */
export async function collect() {
  globalThis.gc();
  await nextTurn();
  await nextTurn();
}

/** Small, seeded, good enough to choose moments and junk. */
export function random(seed) {
  let state = BigInt(seed);
  const next = () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number(state >> 33n) / 2 ** 31;
  };
  return { next, below: (limit) => Math.floor(next() * limit), pick: (list) => list[Math.floor(next() * list.length)] };
}

/** The code with which a promise is rejected, or 'resolved'. */
export function endingOf(promise) {
  return promise.then(
    () => 'resolved',
    (error) => error.code ?? String(error),
  );
}

export function survived() {
  console.log('survived');
}
