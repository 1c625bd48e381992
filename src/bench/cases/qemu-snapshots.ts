// QEMU's ways to keep a machine, in turns with ours: savevm and loadvm, migrate to a file, background-snapshot. While one
// of the two guests is measured, the other one stands still.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../base/errors.js';
import { formatBytes, MIB, PAGE_BYTES } from '../../base/units.js';
import { Host } from '../../host/host.js';
import { VmSnapshot } from '../../snapshot/snapshot.js';
import { EmulatedVm } from '../../vm/emulated-vm.js';
import { type BenchCase, type BenchContext, CaseSkipped, type MetricDraft } from '../case.js';
import { dirty, freeSnapshots } from '../guest.js';
import { isInstalled, Qemu, whyNoQemu } from '../peers/qemu.js';
import type { Series } from '../series.js';
import { timed } from '../wait.js';

/** The default is 128 MiB/s, which would be the figure. */
const BANDWIDTH_MAX = 2 ** 40;
const RUNS_MS = 20;

const GUESTS_DIFFER =
  'both guests write all of their RAM round and round: ours every word, QEMU’s one word a page, so that it comes sooner ' +
  'to a page that is not saved yet';
const FILES_DIFFER = 'ours is flushed to the disk and takes its name at once; QEMU’s write ends in the page cache';

/** What is compared: what ours is, what QEMU's is, and what the two do not have in common. */
const PAIRS = {
  livePaused: [
    'live snapshot, guest paused',
    'background-snapshot, guest paused',
    'ours: by the guest’s own stamps; QEMU’s: between its STOP and RESUME events. QEMU also saves devices, of which ours has none',
  ],
  liveTotal: ['live snapshot and its file', 'background-snapshot to a file', `${GUESTS_DIFFER}. ${FILES_DIFFER}`],
  stopped: ['stopped snapshot and its file, guest paused', 'savevm, guest paused', FILES_DIFFER],
  toFile: ['file of a snapshot', 'migrate to a file, stopped, bandwidth unlimited', FILES_DIFFER],
  load: [
    'file to the first guest step',
    'loadvm',
    'ours: until the guest has made a step, from a file whose header and tables are checked; QEMU’s: until loadvm returns',
  ],
} as const;
type Pair = keyof typeof PAIRS;
type Record = (pair: Pair, ns: number) => void;

async function measureOurs(vm: EmulatedVm, path: string, record: Record): Promise<void> {
  vm.resume();
  await sleep(RUNS_MS);
  const live = await timed(async () => {
    const snapshot = await vm.snapshot({ live: true });
    await snapshot.save(path);
    return snapshot;
  });
  vm.pause();
  record('livePaused', live.value.cost?.blackoutNs ?? 0);
  record('liveTotal', live.ns);
  await dirty(vm, vm.ramBytes / PAGE_BYTES); // every page is written: nothing is shared
  record('stopped', (await timed(async () => await (await vm.snapshot()).save(path))).ns);
  const saved = await vm.snapshot();
  record('toFile', (await timed(() => saved.save(path))).ns);
  const host = await Host.create();
  const loaded = await timed(async () => {
    const [clone] = await host.clone(await VmSnapshot.load(path), 1);
    await clone?.runUntil(saved.steps + 1);
  });
  record('load', loaded.ns);
  await host.close();
  await freeSnapshots();
}

async function migrate(qemu: Qemu, path: string): Promise<number> {
  qemu.forgetEvents();
  const { ns, value } = await timed(async () => {
    await qemu.execute('migrate', { uri: `exec:cat > '${path}'` });
    return await qemu.event('MIGRATION', ({ status }) => status === 'completed' || status === 'failed');
  });
  if (value.data.status === 'completed') return ns;
  const { 'error-desc': reason } = await qemu.execute<{ 'error-desc'?: string }>('query-migrate');
  throw new Error(reason ?? 'the migration failed');
}

const setBackground = (qemu: Qemu, state: boolean) =>
  qemu.execute('migrate-set-capabilities', {
    capabilities: [
      { capability: 'events', state: true },
      { capability: 'background-snapshot', state },
    ],
  });

/** What QEMU does not do here goes to `refused`, with its reason. */
async function measureTheirs(qemu: Qemu, path: string, record: Record, refused: Map<string, string>): Promise<void> {
  await qemu.execute('cont');
  await sleep(RUNS_MS);
  if (!refused.has('background-snapshot')) {
    try {
      await setBackground(qemu, true);
      record('liveTotal', await migrate(qemu, path));
      record('livePaused', await qemu.standstillNs());
    } catch (error) {
      refused.set('background-snapshot', messageOf(error));
    }
  }
  await setBackground(qemu, false);
  // A live migration of a guest that writes faster than it is copied does not end.
  await qemu.execute('stop');
  record('toFile', await migrate(qemu, path));
  await qemu.untilStatus('postmigrate');
  await qemu.execute('cont');
  if (!refused.has('savevm')) {
    qemu.forgetEvents();
    await qemu.monitor('savevm bench');
    record('stopped', await qemu.standstillNs());
    record('load', (await timed(() => qemu.monitor('loadvm bench'))).ns);
    await qemu.monitor('delvm bench');
  }
  await qemu.execute('stop');
}

function draftsOf(series: ReadonlyMap<Pair, { ours: Series; theirs: Series }>, ramBytes: number): MetricDraft[] {
  return [...series].map(([pair, { ours, theirs }]) => {
    const [title, peer, differs] = PAIRS[pair];
    return {
      title: `qemu-snapshots ${title}, ${formatBytes(ramBytes)}`,
      params: { ramBytes },
      ours,
      peers: [{ name: `QEMU ${peer}`, series: theirs, differs }],
    };
  });
}

async function compare({ quick, params, latencies, inTurns, addChild }: BenchContext, folder: string) {
  const ramBytes = params.memoryBytes ?? (quick ? 64 * MIB : 256 * MIB);
  const pairs = Object.keys(PAIRS) as Pair[];
  const series = new Map(pairs.map((pair) => [pair, { ours: latencies(), theirs: latencies() }]));
  const refused = new Map<string, string>();
  if (!isInstalled('qemu-img')) refused.set('savevm', 'qemu-img is not installed (Debian: qemu-utils)');
  using vm = await EmulatedVm.create({ program: 'page-writer', memory: ramBytes, params: { pattern: 'sequential' } });
  await dirty(vm, ramBytes / PAGE_BYTES);
  const qemu = await Qemu.start({ folder, ramBytes, disk: !refused.has('savevm') });
  addChild(qemu.pid);
  try {
    await qemu.execute('stop');
    await qemu.execute('migrate-set-parameters', { 'max-bandwidth': BANDWIDTH_MAX });
    const into =
      (side: 'ours' | 'theirs', warmUp: boolean): Record =>
      (pair, ns) => {
        if (!warmUp) series.get(pair)?.[side].record(ns);
      };
    await inTurns(quick ? 1 : 20, [
      ({ warmUp }) => measureOurs(vm, join(folder, 'ours.snap'), into('ours', warmUp)),
      ({ warmUp }) => measureTheirs(qemu, join(folder, 'theirs.state'), into('theirs', warmUp), refused),
    ]);
  } finally {
    await qemu.close();
  }
  const notes = [...refused].map(([name, reason]) => `QEMU ${name} was not measured: ${reason}`);
  return draftsOf(series, ramBytes).map((draft) => ({ ...draft, notes }));
}

export const qemuSnapshots: BenchCase = {
  name: 'qemu-snapshots',
  promise: null,
  summary: 'peer: QEMU (TCG) savevm, loadvm, migrate to a file, background-snapshot, in turns with ours',
  params: ['memoryBytes'],
  seconds: 90,
  async run(context) {
    const missing = whyNoQemu();
    if (missing !== null) throw new CaseSkipped(missing);
    const folder = await mkdtemp(join(tmpdir(), 'standstill-qemu-'));
    try {
      return await compare(context, folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
