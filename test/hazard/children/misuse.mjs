// usage: misuse.mjs <hazard> [seed]: calls that no program should make. Each is answered by an error, never a crash.
import {
  freezeOptions,
  HazardError,
  load,
  loadAgain,
  loadRaw,
  MIB,
  random,
  startedVm,
  survived,
  vmConfig,
} from './standstill.mjs';

class Deliberate extends Error {}

/** An error of the addon (with its code), or a TypeError, or what junk itself threw. */
function demandGoodError(error, codes, what) {
  // Node-API's own word for an accessor called on what is no object of the addon.
  if (what === 'released' && error.message === 'Invalid argument') return;
  if (error instanceof TypeError || error instanceof Deliberate) return;
  if (error instanceof HazardError && codes.includes(error.code)) return;
  throw new Error(`Expected a coded error for ${what}`, { cause: error });
}

function demandThrow(what, call) {
  let error;
  try {
    call();
  } catch (thrown) {
    error = thrown;
  }
  if (error === undefined) throw new Error(`Expected an error for ${what}`);
  return error;
}

function methodsOf(prototype) {
  return Object.entries(Object.getOwnPropertyDescriptors(prototype))
    .filter(([name]) => name !== 'constructor')
    .map(([name, descriptor]) => [name, descriptor.value ?? descriptor.get]);
}

const hazards = {
  'errors before initialise': async () => {
    const addon = loadRaw();
    for (const call of [
      () => addon.createVm(),
      () => addon.createVm(vmConfig({ ramBytes: -1 })),
      () => addon.freeze([], {}),
      () => addon.crc64(),
    ]) {
      const { code } = demandThrow('a call before initialise', call);
      if (code !== 'ERR_INVALID_ARGUMENT') throw new Error(`Expected ERR_INVALID_ARGUMENT but received ${code}`);
    }
    const vm = await addon.createVm(vmConfig());
    const { code } = demandThrow('resume before start', () => vm.resume());
    if (code !== 'ERR_VM_NOT_STARTED') throw new Error(`Expected ERR_VM_NOT_STARTED but received ${code}`);
  },

  'initialise with anything but a class': () => {
    const addon = loadRaw();
    for (const junk of [undefined, null, 1, 'Error', {}, [], Symbol('x'), 1n]) {
      demandThrow('a class that is none', () => addon.initialise(junk));
    }
    addon.initialise(() => {}); // a function, though nothing can be made of it
    demandThrow('an error that cannot be made', () => addon.createVm());
  },

  'an error class that throws, or makes no error': async () => {
    const addon = loadRaw();
    addon.initialise(
      class {
        constructor() {
          throw new Deliberate();
        }
      },
    );
    const error = demandThrow('a failing error class', () => addon.createVm());
    if (!(error instanceof Deliberate)) throw new Error('Expected what the class threw', { cause: error });
    const vm = await addon.createVm(vmConfig());
    vm.close();
    const asynchronous = await vm.digest().catch((rejection) => rejection);
    if (!(asynchronous instanceof Deliberate))
      throw new Error('Expected what the class threw', { cause: asynchronous });
    for (const value of [{}, [], () => {}]) {
      addon.initialise(function NoError() {
        return value;
      });
      if (demandThrow('no error', () => vm.start()) !== value) throw new Error('Expected what the class made');
    }
  },

  'constructors called directly': async () => {
    const addon = load();
    const codes = addon.statusCodes();
    const vm = await startedVm(addon);
    const freeze = addon.freeze([vm], freezeOptions());
    for (const { constructor: Native } of [vm, freeze]) {
      for (const call of [
        () => new Native(),
        () => new Native({}),
        () => new Native(vm),
        () => Native(),
        () => Native.call(vm),
        () => Reflect.construct(Native, [freeze], Object),
        () => new (class extends Native {})(),
      ]) {
        demandGoodError(demandThrow('a constructor call', call), codes, 'a constructor call');
      }
    }
  },

  'methods on a wrong this': async () => {
    const addon = load();
    const codes = addon.statusCodes();
    const vm = await startedVm(addon);
    const freeze = addon.freeze([vm], freezeOptions());
    const wrong = [{}, [], () => {}, undefined, null, 1, 'vm', Object.create(vm), new Proxy(vm, {}), addon, globalThis];
    const kinds = [
      [vm, [freeze, Object.create(Object.getPrototypeOf(vm)), ...wrong]],
      [freeze, [vm, Object.create(Object.getPrototypeOf(freeze)), ...wrong]],
    ];
    for (const [own, others] of kinds) {
      for (const [name, method] of methodsOf(Object.getPrototypeOf(own))) {
        for (const other of others) {
          demandGoodError(
            demandThrow(name, () => method.call(other, 1, 1)),
            codes,
            name,
          );
        }
      }
    }
    // A stranger that claims to be a VM.
    const strangers = [...wrong, freeze, Object.setPrototypeOf({}, Object.getPrototypeOf(vm))];
    for (const stranger of strangers) {
      demandGoodError(
        demandThrow('freeze', () => addon.freeze([stranger], freezeOptions())),
        codes,
        'freeze',
      );
    }
  },

  'the addon loaded twice in one environment': async () => {
    const [first, second] = [load(), loadAgain()];
    second.initialise(HazardError);
    const vms = [await startedVm(first), await startedVm(second)];
    for (const addon of [first, second]) {
      const freeze = addon.freeze(vms, freezeOptions());
      await Promise.all(vms.map((vm) => vm.digest()));
      freeze.release();
      await freeze.settled();
    }
  },

  'options that close the VM while they are read': async () => {
    const addon = load();
    const vm = await startedVm(addon);
    const options = Object.defineProperty(freezeOptions(), 'clockSync', {
      get() {
        vm.close();
        return null;
      },
    });
    const { code } = demandThrow('freeze', () => addon.freeze([vm], options));
    if (code !== 'ERR_VM_CLOSED') throw new Error(`Expected ERR_VM_CLOSED but received ${code}`);
    const other = await startedVm(addon);
    const digest = other.digest({
      get share() {
        other.close();
        return 1;
      },
    });
    const { code: late } = await digest.catch((error) => error);
    if (late !== 'ERR_VM_CLOSED') throw new Error(`Expected ERR_VM_CLOSED but received ${late}`);
  },

  'junk for every argument of every method': async () => {
    const seed = Number(process.argv[3] ?? 1);
    const { below, next, pick } = random(seed);
    const addon = load();
    const codes = addon.statusCodes();
    const detached = new Uint8Array(16);
    structuredClone(detached, { transfer: [detached.buffer] });
    const revocable = Proxy.revocable({}, {});
    revocable.revoke();
    const bystander = await addon.createVm(vmConfig());
    const loop = {};
    loop.self = loop;

    // No size that is valid and large: this is about types, and the machine has other work.
    // biome-ignore format: one list
    const scalars = [
      undefined, null, true, false, 0, -0, 1, -1, 7, 8, 0.5, 1.5, NaN, Infinity, -Infinity, 4095, 4096, MIB, 2 ** 31,
      2 ** 32, 2 ** 36 + 1, 2 ** 53 - 1, 2 ** 53, 2 ** 63, 2 ** 64, -(2 ** 63), 1e308, 5e-324, 0n, 1n, -1n, 2n ** 64n - 1n,
      2n ** 64n, -(2n ** 63n), 2n ** 2000n, '', '0', '256 MiB', 'step', 'page-writer', '\0', '\ud800', 'x'.repeat(1e5),
      Symbol('junk'), Symbol.iterator,
    ];
    // biome-ignore format: one list
    const objects = [
      () => ({}), () => [], () => [[]], () => new Array(2 ** 32 - 1), () => () => {}, () => class {}, () => new Date(),
      () => /x/, () => new Map(), () => Object.create(null), () => loop, () => revocable.proxy, () => new Proxy([], {}),
      () => new Proxy({}, { get() { throw new Deliberate(); }, ownKeys() { throw new Deliberate(); } }),
      () => ({ valueOf() { throw new Deliberate(); }, toString() { throw new Deliberate(); } }),
      () => ({ [Symbol.toPrimitive]: () => 1 }), () => new Number(1), () => Object(1n), () => Object(Symbol('boxed')),
      () => new ArrayBuffer(8), () => new SharedArrayBuffer(8), () => new DataView(new ArrayBuffer(8)), () => detached,
      () => new Uint8Array(3), () => new Float64Array(3), () => new BigUint64Array(1), () => Buffer.alloc(5),
      () => Promise.resolve(), () => bystander, () => Object.getPrototypeOf(bystander), () => addon, () => globalThis,
      () => new Error('junk'), () => new WeakRef(bystander), () => process,
    ];
    const junk = () => (next() < 0.6 ? pick(scalars) : pick(objects)());
    /** A good object with some of its properties gone, turned into junk, or answered by a getter that throws. */
    const damaged = (good) => {
      const object = { ...good };
      for (let i = below(3); i >= 0; i--) {
        const key = pick(Object.keys(good));
        const how = below(4);
        if (how === 0) delete object[key];
        else if (how === 1) {
          Object.defineProperty(object, key, {
            configurable: true,
            enumerable: true,
            get() {
              throw new Deliberate();
            },
          });
        } else if (how === 2 && key === 'params')
          object[key] = { [String(pick(['writeShare', 'x', '__proto__']))]: junk() };
        else object[key] = junk();
      }
      return object;
    };
    const argument = (good) => (good !== undefined && next() < 0.7 ? damaged(good) : junk());

    const pending = [];
    const attempt = (what, call) => {
      let result;
      try {
        result = call();
      } catch (error) {
        return demandGoodError(error, codes, `${what} (seed ${seed})`);
      }
      if (!(result instanceof Promise)) return result;
      const settled = result.then(
        (value) => {
          if (value?.close !== undefined) value.close();
        },
        (error) => demandGoodError(error, codes, `${what} (seed ${seed})`),
      );
      settled.catch(() => {}); // awaited at the end
      pending.push(settled);
      return undefined;
    };

    for (let round = 0; round < 60; round++) {
      const vm = await addon.createVm(vmConfig({ ramBytes: MIB }));
      if (next() < 0.7) vm.start();
      for (let i = 0; i < 150; i++) {
        const call = below(14);
        if (call === 0) attempt('createVm', () => addon.createVm(argument(vmConfig({ ramBytes: MIB }))));
        else if (call === 1) {
          const vms = next() < 0.5 ? [vm] : next() < 0.5 ? [vm, junk()] : junk();
          attempt('freeze', () => addon.freeze(vms, argument(freezeOptions())))?.release();
        } else if (call === 2) attempt('freeze', () => addon.freeze([vm, vm], freezeOptions()));
        else if (call === 3) attempt('crc64', () => addon.crc64(next() < 0.5 ? 0n : junk(), junk()));
        else if (call === 4) attempt('digest', () => vm.digest(argument({ share: 0.5, seed: 1n, threads: 1 })));
        else {
          const [name, method] = pick(methodsOf(Object.getPrototypeOf(vm)));
          if (name !== 'close') attempt(name, () => method.call(vm, junk(), junk(), junk()));
        }
      }
      vm.close();
    }
    bystander.close();
    await Promise.all(pending);
  },
};

await hazards[process.argv[2]]();
survived();
