// QEMU's ways to keep a machine, in turns with ours: savevm and loadvm, migrate to a file, background-snapshot.
//
//   node bench/peers/qemu-snapshots.mjs [--memory MIB] [--rounds N] [--folder DIR] [--json]
//
// Both guests run alone: while one is measured, the other stands still. Without QEMU nothing is measured, and the
// reason is printed.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { loadAddon, loadLibrary } from '../addon.mjs';
import { describeEnvironment, NoiseMeter, noiseWarnings } from '../environment.mjs';
import { freeSnapshots, timed } from '../guest.mjs';
import { LatencySeries } from '../histogram.mjs';
import { printReport } from '../report.mjs';
import { caseResult, inTurns } from '../results.mjs';
import { sleep } from '../wait.mjs';
import { isInstalled, Qemu, whyNot } from './qemu.mjs';

const MIB = 2 ** 20;
/** The default is 128 MiB/s, which would be the figure. */
const BANDWIDTH_MAX = 2 ** 40;
const RUNS_MS = 20;

/** What the two do not have in common, for each comparison. */
const DIFFERS = {
  paused:
    'ours: by the guest’s own stamps; QEMU’s: between its STOP and RESUME events, which come from its main loop. ' +
    'QEMU also saves devices, of which ours has none',
  guest:
    'both guests write all of their RAM round and round: ours every word, QEMU’s one word a page, so that it comes to a ' +
    'page that is not saved sooner',
  file: 'ours is flushed to the disk and named atomically; QEMU’s write ends in the page cache',
  load: 'ours: every chunk’s CRC is checked, and the guest has made a step; QEMU’s: until loadvm returns',
};

function parseCommand() {
  const options = {
    memory: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '10' },
    folder: { type: 'string' },
    json: { type: 'boolean', default: false },
  };
  const { values } = parseArgs({ options });
  const number = (name, min, max) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw new Error(`Expected a whole number from ${min} to ${max} for --${name} but received ${values[name]}`);
  };
  return {
    ramBytes: number('memory', 16, 2048) * MIB,
    rounds: number('rounds', 1, 1000),
    folder: values.folder,
    json: values.json,
  };
}

/** Ours: a VM of the library that writes all of its RAM round and round, a word after the other. */
async function startOurs(library, { ramBytes }) {
  const params = { pattern: 'sequential' };
  const vm = await library.EmulatedVm.create({ program: 'page-writer', memory: ramBytes, params });
  await vm.runUntil(ramBytes / 8);
  return vm;
}

function makeSeries() {
  const pairs = ['live-paused', 'live-total', 'stopped', 'copy-to-file', 'load'];
  return Object.fromEntries(pairs.map((name) => [name, { ours: new LatencySeries(), theirs: new LatencySeries() }]));
}

async function measureOurs(library, vm, path, record) {
  vm.resume();
  await sleep(RUNS_MS);
  const live = await timed(async () => {
    const snapshot = await vm.snapshot({ live: true });
    await snapshot.save(path);
    return snapshot;
  });
  vm.pause();
  record('live-paused', live.value.cost.blackoutNs);
  record('live-total', live.ns);
  await vm.runUntil(vm.stats().steps + vm.ramBytes / 8); // every page is written: nothing is shared
  const stopped = await timed(async () => await (await vm.snapshot()).save(path));
  record('stopped', stopped.ns);
  const saved = await vm.snapshot();
  record('copy-to-file', (await timed(() => saved.save(path))).ns);
  const host = await library.Host.create();
  const loaded = await timed(async () => {
    const [clone] = await host.clone(await library.VmSnapshot.load(path), 1);
    await clone.runUntil(saved.steps + 1);
  });
  record('load', loaded.ns);
  await host.close();
  await freeSnapshots();
}

const migrationIs = (status) => (data) => data.status === status || data.status === 'failed';

async function migrate(qemu, path) {
  qemu.forgetEvents();
  const { ns, value } = await timed(async () => {
    await qemu.execute('migrate', { uri: `exec:cat > ${path}` });
    return await qemu.event('MIGRATION', migrationIs('completed'));
  });
  if (value.data.status === 'failed') throw new Error((await qemu.execute('query-migrate'))['error-desc'] ?? 'failed');
  return ns;
}

/** What of QEMU can be measured here: the others with the reason. */
async function measureTheirs(qemu, path, record, refused) {
  await qemu.execute('cont');
  await sleep(RUNS_MS);
  const setBackground = (state) =>
    qemu.execute('migrate-set-capabilities', {
      capabilities: [
        { capability: 'events', state: true },
        { capability: 'background-snapshot', state },
      ],
    });
  if (refused.background === undefined) {
    try {
      await setBackground(true);
      record('live-total', await migrate(qemu, path));
      record('live-paused', await qemu.standstillNs());
    } catch (error) {
      refused.background = error.message;
    }
    await setBackground(false);
  }
  // Where its writer is faster than the copy, a live migration does not end; QEMU's guest stands still for it.
  await qemu.execute('stop');
  record('copy-to-file', await migrate(qemu, path));
  await qemu.status('postmigrate');
  await qemu.execute('cont');
  if (refused.savevm !== undefined) return await qemu.execute('stop');
  qemu.forgetEvents();
  await qemu.monitor('savevm bench');
  record('stopped', await qemu.standstillNs());
  record('load', (await timed(() => qemu.monitor('loadvm bench'))).ns);
  await qemu.monitor('delvm bench');
  await qemu.execute('stop');
}

function resultsOf(series, { ramBytes }) {
  const titles = {
    'live-paused': ['live snapshot, guest paused', 'background-snapshot', DIFFERS.paused],
    'live-total': ['live snapshot, and its file', 'background-snapshot to a file', `${DIFFERS.guest}. ${DIFFERS.file}`],
    stopped: ['stopped snapshot and its file, guest paused', 'savevm', DIFFERS.file],
    'copy-to-file': [
      'file of a snapshot of a full RAM',
      'migrate to a file, stopped, no bandwidth limit',
      DIFFERS.file,
    ],
    load: ['file to the first guest step', 'loadvm', DIFFERS.load],
  };
  return Object.entries(series)
    .filter(([, { ours, theirs }]) => ours.samples > 0 && theirs.samples > 0)
    .map(([name, { ours, theirs }]) => {
      const [title, peer, differs] = titles[name];
      return caseResult({
        name: `${title}, ${ramBytes / MIB} MiB`,
        ours: ours.summary(),
        peer: { name: `QEMU ${peer}`, summary: theirs.summary() },
        notes: [differs],
      });
    });
}

async function main() {
  const plan = parseCommand();
  const missing = whyNot() ?? (await loadLibrary()).missing;
  if (missing) return process.stdout.write(`skipped: ${missing}\n`);
  const { library } = await loadLibrary();
  const environment = describeEnvironment(loadAddon().engineInfo());
  const folder = await mkdtemp(join(plan.folder ?? tmpdir(), 'standstill-qemu-'));
  const meter = new NoiseMeter();
  const series = makeSeries();
  const refused = isInstalled('qemu-img') ? {} : { savevm: 'qemu-img is not installed (Debian: qemu-utils)' };
  let ours;
  let qemu;
  try {
    qemu = await Qemu.start({ ...plan, folder, disk: refused.savevm === undefined });
    meter.addChild(qemu.pid);
    await qemu.execute('stop');
    await qemu.execute('migrate-set-parameters', { 'max-bandwidth': BANDWIDTH_MAX });
    environment.versions.qemu = (await qemu.execute('query-version')).package || 'unknown';
    ours = await startOurs(library, plan);
    const into = (warmUp, side) => (name, ns) => {
      if (!warmUp) series[name][side].record(ns);
    };
    await inTurns(plan.rounds, [
      ({ warmUp }) => measureOurs(library, ours, join(folder, 'ours.snap'), into(warmUp, 'ours')),
      ({ warmUp }) => measureTheirs(qemu, join(folder, 'theirs.state'), into(warmUp, 'theirs'), refused),
    ]);
  } finally {
    ours?.close();
    await qemu?.close();
    await rm(folder, { recursive: true, force: true });
  }
  environment.noise = meter.since();
  environment.warnings = noiseWarnings(environment.noise, environment.governor);
  const skipped = Object.entries(refused).map(([name, reason]) => ({ name, reason }));
  const result = { schemaVersion: 1, environment, cases: resultsOf(series, plan), skipped, elsewhere: [] };
  if (plan.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else printReport(result);
}

await main();
