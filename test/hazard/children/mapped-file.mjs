// usage: mapped-file.mjs <hazard> [seed]: the file that snapshots and VMs are mapped from is cut, or rewritten in place.
import { mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Worker, workerData } from 'node:worker_threads';
import { endingOf, eventually, load, MIB, random, startedVm, survived, vmConfig } from './standstill.mjs';

const [hazard, seed = '1'] = process.argv.slice(2);
const { below, pick } = random(seed);
const addon = load();
const folder = mkdtempSync(join(tmpdir(), 'standstill-hazard-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const store = addon.createPageStore(256 * MIB);
const progress = () => addon.createProgress();
let files = 0;

async function savedFile(ramBytes = 4 * MIB) {
  const vm = await addon.createVm(vmConfig({ ramBytes, pageStore: store, program: 'kv-store' }));
  await vm.runUntil(20_000);
  const { snapshot } = await vm.snapshot(false, progress());
  const path = join(folder, `${files++}.snap`);
  const options = { compressed: false, id: new Uint8Array(32), base: null, baseId: null };
  const writer = await addon.createSnapshotWriter(path, snapshot, options, progress());
  await writer.writeChunks(progress());
  await writer.commit();
  await writer.close();
  vm.close();
  return path;
}

const mapped = async (path) => await addon.mapSnapshotFile(await addon.openSnapshotFile(path), store);

async function restored(snapshot, clone = false) {
  const config = { name: 'mapped', dutyCycle: 1, prefault: false, pageStore: store, clone, seed: null };
  return await addon.restoreVm(config, snapshot, progress());
}

const strikes = {
  cut: (path) => truncateSync(path, below(5 * MIB)),
  empty: (path) => truncateSync(path, 0),
  rewrite(path) {
    const bytes = readFileSync(path).map((byte) => byte ^ 0xff);
    writeSync(openSync(path, 'r+'), bytes, 0, bytes.length, 0);
  },
  replaced: (path) => writeFileSync(path, Buffer.alloc(below(8 * MIB), 'other ')), // cut, and written anew
};

function demand(ending, allowed) {
  if (!allowed.includes(ending)) throw new Error(`Expected one of ${allowed.join(', ')} but received ${ending}`);
}

async function demandLost(vm) {
  vm.pause(5e9);
  if (vm.state() !== 'faulted') throw new Error(`Expected a faulted VM but received ${vm.state()}`);
  const { kind } = vm.stats().fault;
  if (kind !== 'memory-lost') throw new Error(`Expected memory-lost but received ${kind}`);
  demand(await endingOf(vm.digest()), ['ERR_MEMORY_LOST']);
  demand(await endingOf(vm.snapshot(false, progress())), ['ERR_MEMORY_LOST']);
  demand(await endingOf(vm.runUntil(1e9)), ['ERR_VM_FAULTED']);
}

async function demandUnharmed(vm) {
  const { steps } = vm.stats();
  await eventually('a VM that runs on', () => vm.stats().steps > steps);
  vm.pause(5e9);
  if (!(await vm.check()).ok) throw new Error('Expected invariants that hold');
  await vm.digest();
  vm.resume();
}

async function underRunningVms(strike) {
  const safe = await startedVm(addon, { program: 'kv-store' });
  for (let round = 0; round < 8; round++) {
    const path = await savedFile();
    const snapshot = await mapped(path);
    const vms = await Promise.all([0, 1, 2].map((index) => restored(snapshot, index === 2)));
    for (const vm of vms) vm.resume();
    await sleep(below(15));
    strike(path);
    await sleep(below(5));
    demand(await endingOf(snapshot.digest(progress())), ['ERR_MEMORY_LOST']);
    for (const vm of vms) await demandLost(vm);
    await demandUnharmed(safe);
    for (const vm of vms) vm.close();
  }
}

/** Whatever is under way: each ends with all, or with a reason. */
async function underEverything() {
  const safe = await startedVm(addon, { program: 'kv-store' });
  for (let round = 0; round < 12; round++) {
    const path = await savedFile();
    const snapshot = await mapped(path);
    const [running, paused, going] = [
      await restored(snapshot),
      await restored(snapshot),
      await restored(snapshot, true),
    ];
    running.resume();
    const works = [
      ...Array.from({ length: 4 }, () => snapshot.digest(progress())),
      ...Array.from({ length: 4 }, () => paused.digest()),
      running.snapshot(true, progress()),
      paused.check(),
      going.explore(snapshot, { runs: 500, steps: 200, seed: 1n, check: true }, progress()),
      addon.exportFlat(join(folder, 'raw'), snapshot, new Uint8Array(0), progress()),
      restored(snapshot).then((vm) => vm.runUntil(30_000)),
      mapped(path).then((again) => again.digest(progress())),
    ].map(endingOf);
    await sleep(below(4));
    pick([strikes.cut, strikes.empty])(path);
    if (round % 3 === 0) paused.close();
    const allowed = ['resolved', 'ERR_MEMORY_LOST', 'ERR_VM_FAULTED', 'ERR_VM_CLOSED', 'ERR_LEASE_REVOKED'];
    for (const ending of await Promise.all(works))
      demand(ending, [...allowed, 'ERR_SNAPSHOT_DAMAGED', 'ERR_SNAPSHOT_IO']);
    await demandUnharmed(safe);
    for (const vm of [running, paused, going]) vm.close();
  }
}

const hazards = {
  'the file is cut under running VMs': () => underRunningVms(strikes.cut),
  'the file is emptied under running VMs': () => underRunningVms(strikes.empty),
  'the file is rewritten in place under running VMs': () => underRunningVms(strikes.rewrite),
  'the file is written anew in place under running VMs': () => underRunningVms(strikes.replaced),
  'the file is cut while everything is under way': underEverything,
  async 'the worker that mapped it first is gone'() {
    const path = await savedFile();
    const worker = new Worker(fileURLToPath(import.meta.url), {
      argv: ['in a worker'],
      workerData: path,
      stdout: true,
    });
    await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
    const snapshot = await mapped(path);
    const vm = await restored(snapshot);
    strikes.empty(path);
    demand(await endingOf(snapshot.digest(progress())), ['ERR_MEMORY_LOST']);
    await demandLost(vm);
  },
  async 'in a worker'() {
    await (await mapped(workerData)).digest(progress());
  },
  async 'a SIGBUS that somebody sends'() {
    await mapped(await savedFile());
    process.kill(process.pid, 'SIGBUS');
    await sleep(20_000);
  },
  async 'a SIGBUS that somebody sends, with a handler from before'() {
    let arrived = false;
    process.once('SIGBUS', () => {
      arrived = true;
    });
    const path = await savedFile();
    const snapshot = await mapped(path);
    strikes.empty(path);
    demand(await endingOf(snapshot.digest(progress())), ['ERR_MEMORY_LOST']);
    process.kill(process.pid, 'SIGBUS');
    await eventually('the handler to be called', () => arrived);
  },
};

await hazards[hazard]();
survived();
