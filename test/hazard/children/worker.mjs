// usage: worker.mjs <hazard> [seed]: the main thread and its workers share the addon. The workers run this file too.
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import {
  endingOf,
  eventually,
  freezeOptions,
  guestThreads,
  load,
  loadRaw,
  MIB,
  NEVER,
  random,
  startedVm,
  survived,
  vmConfig,
} from './standstill.mjs';

// ── What a worker does ────────────────────────────────────────────────────────────────────────

/** What is not held is collected, and its VMs closed. */
const held = [];

/** VMs in every state, with something pending on each. */
async function everything(addon) {
  held.push(await startedVm(addon), await startedVm(addon, { program: 'idle' }));
  const frozen = [await startedVm(addon), await startedVm(addon, { program: 'ticker' })];
  const freeze = addon.freeze(frozen, freezeOptions());
  const created = await addon.createVm(vmConfig({ ramBytes: 32 * MIB, prefault: true }));
  const target = await addon.createVm(vmConfig());
  held.push(frozen, freeze, created, target);
  return [
    freeze.settled(),
    frozen[0].digest(),
    frozen[1].check(),
    ...Array.from({ length: 16 }, () => created.digest()),
    target.runUntil(NEVER),
    addon.createVm(vmConfig({ ramBytes: 64 * MIB, prefault: true })),
  ].map(endingOf);
}

const inWorker = {
  async everything() {
    const addon = load();
    const pending = await everything(addon);
    parentPort.postMessage('ready');
    await Promise.all(pending);
  },
  /** The thread is mostly inside native methods when it is told to end. */
  async 'reading stats'() {
    const vm = await startedVm(load());
    parentPort.postMessage('ready');
    for (;;) vm.stats();
  },
  async 'receiving errors'() {
    const vm = await startedVm(load());
    parentPort.postMessage('ready');
    for (;;) {
      try {
        vm.start();
      } catch {}
    }
  },
  async freezing() {
    const addon = load();
    const vm = await startedVm(addon);
    parentPort.postMessage('ready');
    for (;;) {
      const freeze = addon.freeze([vm], freezeOptions());
      freeze.release();
      freeze.records();
    }
  },
  async 'settling promises'() {
    const vm = await startedVm(load());
    parentPort.postMessage('ready');
    for (;;) await Promise.all(Array.from({ length: 500 }, () => endingOf(vm.digest())));
  },
  async 'natural exit'() {
    const addon = load();
    const vms = [await startedVm(addon), await startedVm(addon, { program: 'kv-store' })];
    addon.freeze([vms[0]], freezeOptions());
    (await addon.createVm(vmConfig())).digest();
  },
  async 'process.exit'() {
    void everything(load());
    await sleep(20);
    process.exit(3);
  },
  async 'uncaught exception'() {
    void (await everything(load()));
    throw new Error('deliberate');
  },
  async working() {
    const addon = load();
    for (let round = 0; round < 20; round++) {
      const vm = await startedVm(addon, { program: 'kv-store', seed: BigInt(round) });
      const freeze = addon.freeze([vm], freezeOptions());
      const [before, after] = [await vm.digest(), await vm.digest()];
      if (before.value !== after.value) throw new Error('Expected equal digests in a freeze');
      if (!(await vm.check()).ok) throw new Error('Expected the check to hold');
      freeze.release();
      vm.close();
    }
  },
  /** Pool and timer threads outlive the worker that started them. */
  async 'leaving threads behind'() {
    const addon = load();
    const vm = await startedVm(addon);
    addon.freeze([vm], freezeOptions({ budgetNs: 30e6, clockSync: { mode: 'step', delayNs: 30e6, slewPpm: 500 } }));
    void addon.createVm(vmConfig({ ramBytes: 64 * MIB, prefault: true }));
    await sleep(5);
    process.exit();
  },
  async 'a deadline to come'() {
    const addon = load();
    addon.freeze([await startedVm(addon)], freezeOptions({ budgetNs: 100e6 }));
    parentPort.postMessage('ready');
    setInterval(() => {}, 1000);
  },
};

// ── What the main thread does ─────────────────────────────────────────────────────────────────

function start(what) {
  const worker = new Worker(new URL(import.meta.url), { workerData: what });
  const ready = new Promise((resolve) => worker.once('message', resolve));
  const errors = [];
  worker.on('error', (error) => errors.push(error));
  const exited = new Promise((resolve) => worker.once('exit', (code) => resolve({ code, errors })));
  return { worker, ready, exited };
}

/** The main thread's own VMs: they must not notice what happens to workers. */
async function ownVms() {
  const addon = load();
  const running = await startedVm(addon);
  const still = await addon.createVm(vmConfig({ program: 'kv-store' }));
  await still.runUntil(50_000);
  still.pause(5e9);
  const { value } = await still.digest();
  return {
    async verify() {
      const { steps } = running.stats();
      await eventually('own VM to run on', () => running.stats().steps > steps);
      if ((await still.digest()).value !== value) throw new Error('Expected own halted VM unchanged');
      // What a worker leaves in the pool may still have to find out that its VM has gone.
      await eventually('only own guest threads', () => guestThreads() === 2);
    },
  };
}

async function terminatedWhile(what, rounds, delayMs) {
  const own = await ownVms();
  const seed = Number(process.argv[3] ?? 1);
  const { next } = random(seed);
  for (let round = 0; round < rounds; round++) {
    const { worker, ready, exited } = start(what);
    if (what !== 'everything' || round % 2 === 0) await ready;
    await sleep(next() * delayMs);
    await worker.terminate();
    const { errors } = await exited;
    if (errors.length > 0) throw new Error(`round ${round} of seed ${seed}`, { cause: errors[0] });
    await own.verify();
  }
}

async function endedBy(what, expected) {
  const own = await ownVms();
  for (let round = 0; round < 5; round++) {
    const { code, errors } = await start(what).exited;
    const received = errors.length > 0 ? errors[0].message : `exit ${code}`;
    if (received !== expected) throw new Error(`Expected ${expected} but received ${received}`);
    await own.verify();
  }
}

const hazards = {
  'terminated at a random moment': () => terminatedWhile('everything', 30, 80),
  'terminated while reading stats': () => terminatedWhile('reading stats', 10, 10),
  'terminated while receiving errors': () => terminatedWhile('receiving errors', 10, 10),
  'terminated while freezing': () => terminatedWhile('freezing', 10, 10),
  'terminated while settling promises': () => terminatedWhile('settling promises', 10, 10),
  'natural exit': () => endedBy('natural exit', 'exit 0'),
  'process.exit in the worker': () => endedBy('process.exit', 'exit 3'),
  'uncaught exception in the worker': () => endedBy('uncaught exception', 'deliberate'),
  async 'main and several workers at once'() {
    const workers = Array.from({ length: 4 }, () => start('working').exited);
    await inWorker.working();
    for (const { code, errors } of await Promise.all(workers)) {
      if (code !== 0 || errors.length > 0) throw new Error(`worker ended with ${code}`, { cause: errors[0] });
    }
  },
  async 'the addon leaves with the only worker that loaded it'() {
    for (let round = 0; round < 5; round++) {
      await start('leaving threads behind').exited;
      await sleep(80); // the threads that it left would now run code that has gone
    }
  },
  async 'terminated before the deadline of its freeze'() {
    loadRaw();
    const { worker, ready } = start('a deadline to come');
    await ready;
    await worker.terminate();
    await sleep(200); // the deadline passes
  },
  async 'process.exit on the main thread while workers run VMs'() {
    await everything(load());
    await Promise.all([start('everything').ready, start('reading stats').ready, start('settling promises').ready]);
    survived();
    process.exit(0);
  },
};

if (isMainThread) {
  await hazards[process.argv[2]]();
  survived();
  // Own VMs run still: a process that ends here leaves naturally, too.
} else {
  await inWorker[workerData]();
}
