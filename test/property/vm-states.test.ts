import { join } from 'node:path';
import fc from 'fast-check';
import {
  EmulatedVm,
  Host,
  isStandstillError,
  STATE_TABLE,
  type Vm,
  type VmOperation,
  type VmSnapshot,
  type VmState,
} from 'standstill';
import { describe, expect, it } from 'vitest';
import { faultingSnapshot } from '../fixtures/faulting-snapshot.js';

/** What is done with snapshots: in any state of the VM, which it neither needs nor changes. */
const OF_SNAPSHOTS = ['restore', 'clone', 'diff', 'saveAndLoad'] as const;
/** What a sequence is made of: every operation of the table, a freeze that is held for some of them, and snapshots. */
type Action = VmOperation | 'freeze' | 'release' | (typeof OF_SNAPSHOTS)[number];

const OPERATIONS = Object.keys(STATE_TABLE.created) as VmOperation[];
/** What somebody else may not do while a freeze holds the VM. */
const HELD = new Set<Action>(['resume', 'runUntil', 'freeze', 'rollback', 'explore']);
/** Closing ends every sequence but its own errors and what snapshots still do, so it is drawn more seldom. */
const actions = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom<Action>(...OPERATIONS.filter((name) => name !== 'close')) },
    { weight: 4, arbitrary: fc.constantFrom<Action>('freeze', 'release') },
    { weight: 4, arbitrary: fc.constantFrom<Action>(...OF_SNAPSHOTS) },
    { weight: 1, arbitrary: fc.constant<Action>('close') },
  ),
  { minLength: 1, maxLength: 30 },
);
/** A guest that faults at its next step, whenever that is. */
const DOOMED = 'doomed';
const programs = fc.constantFrom('kv-store', 'queue', 'page-writer', 'hash-chain', 'ticker', 'idle', DOOMED);

/** The guest sleeps and wakes by itself, so that the two are one to the model. */
const seen = (state: VmState): VmState => (state === 'idle' ? 'running' : state);

type Expected = { readonly error: string; readonly to?: VmState } | { readonly to: VmState };

class Model {
  state: VmState;
  frozen = false;
  readonly #doomed: boolean;
  #runsAfterRelease = false;

  constructor(program: string) {
    this.#doomed = program === DOOMED;
    this.state = this.#doomed ? 'paused' : 'created';
  }

  /** The code of the error, or the one state that the VM is in afterwards. */
  expected(action: Action): Expected {
    const starts = action === 'start' && (this.state === 'created' || this.state === 'faulted');
    if (this.frozen && (HELD.has(action) || starts)) return { error: 'ERR_BUSY' };
    if (action === 'freeze') {
      if (this.state === 'closed') return { error: 'ERR_VM_CLOSED' };
      return { to: this.state === 'running' ? 'paused' : this.state };
    }
    if (action === 'release') return { to: this.frozen && this.#runsAfterRelease ? 'running' : this.state };
    if (isOfSnapshots(action)) return { to: this.state };
    const outcome = STATE_TABLE[this.state][action];
    if ('error' in outcome) return outcome;
    const [to, ...more] = new Set(outcome.to.map(seen));
    if (to === undefined || more.length > 0) throw new Error(`the table leaves open what ${action} leads to`);
    if (this.#doomed && action === 'runUntil') return { error: 'ERR_VM_FAULTED', to: 'faulted' };
    return { to: this.#doomed && to === 'running' ? 'faulted' : to };
  }

  take(action: Action, to: VmState): void {
    if (action === 'freeze') this.#runsAfterRelease = this.state === 'running';
    if (action === 'freeze' || action === 'release') this.frozen = action === 'freeze';
    this.state = to;
    if (to === 'closed') this.frozen = false;
  }
}

const isOfSnapshots = (action: Action): action is (typeof OF_SNAPSHOTS)[number] =>
  OF_SNAPSHOTS.some((name) => name === action);

class System {
  readonly host: Host;
  readonly vm: Vm;
  scope: ReturnType<Host['freeze']> | undefined;

  /** The snapshots taken so far, the first one of the VM as it was at the beginning. */
  private readonly snapshots: [VmSnapshot, ...VmSnapshot[]];
  /** RAM follows from the step, by whatever way the guest came there. */
  private readonly digests = new Map<number, bigint>();

  constructor(host: Host, vm: Vm, first: VmSnapshot) {
    this.host = host;
    this.vm = vm;
    this.snapshots = [first];
  }

  async perform(action: Action): Promise<void> {
    const { vm } = this;
    switch (action) {
      case 'runUntil':
        return await this.runOn();
      case 'read':
        return void vm.read(4096, 16);
      case 'flipBit':
        // Twice, so that the guest's own invariants still hold.
        vm.flipBit(5, 3);
        return vm.flipBit(5, 3);
      case 'check':
        expect(await vm.check()).toMatchObject({ ok: true });
        return;
      case 'freeze':
        this.scope = this.host.freeze({ vms: [vm] });
        return;
      case 'release':
        this.scope?.release();
        return;
      case 'snapshot':
      case 'liveSnapshot': {
        const snapshot = await vm.snapshot({ live: action === 'liveSnapshot' });
        this.expectAt(snapshot.steps, await snapshot.digest());
        return void this.snapshots.push(snapshot);
      }
      case 'rollback':
        return await this.goBack(async (to) => void (await vm.rollback(to)));
      case 'explore':
        return await this.goBack(async (to) => {
          const { runs, findings } = await vm.explore(to, { runs: 2, steps: 20, seed: 3 });
          const faults = findings.map(({ fault }) => fault?.kind);
          expect({ runs, faults }).toEqual({ runs: 2, faults: this.doomed ? ['out-of-range', 'out-of-range'] : [] });
        });
      case 'digest':
        return this.expectAt(vm.stats().steps, (await vm.digest()).value);
      case 'restore':
        return await this.copies([await this.host.restore(this.next())]);
      case 'clone':
        return await this.copies(await this.host.clone(this.next(), 2));
      case 'diff':
        return await this.compare();
      case 'saveAndLoad':
        return await this.saveAndLoad();
      default:
        vm[action]();
        if (this.doomed && vm.state !== 'closed') await this.fault(action);
    }
  }

  private get doomed(): boolean {
    return this.snapshots[0].vmName === DOOMED;
  }

  /** A doomed guest that was let run: its fault is a matter of moments. */
  private async fault(action: Action): Promise<void> {
    if (action === 'resume') await expect.poll(() => this.vm.state, { timeout: 20_000 }).toBe('faulted');
  }

  private expectAt(step: number, digest: bigint): void {
    expect(digest).toBe(this.digests.get(step) ?? digest);
    this.digests.set(step, digest);
  }

  /** Any of the snapshots, in turn. */
  private next(): VmSnapshot {
    const [to] = this.snapshots;
    this.snapshots.push(...this.snapshots.splice(0, 1));
    return to;
  }

  /** RAM, registers and step are then as they were. */
  private async goBack(way: (to: VmSnapshot) => Promise<void>): Promise<void> {
    const to = this.next();
    await way(to);
    await expectSame(this.vm, to);
  }

  /** VMs that begin at the snapshot that was the next one: what one of them does is its own matter. */
  private async copies(vms: readonly Vm[]): Promise<void> {
    const from = this.snapshots.at(-1) as VmSnapshot;
    for (const vm of vms) {
      await expectSame(vm, from);
      if (this.doomed) await expect(vm.runUntil(from.steps + 5)).rejects.toMatchObject({ code: 'ERR_VM_FAULTED' });
      else {
        await vm.runUntil(from.steps + 5);
        this.expectAt(from.steps + 5, (await vm.digest()).value);
      }
    }
    for (const vm of vms) vm.close();
  }

  private async compare(): Promise<void> {
    const [a, b] = [this.next(), this.next()];
    const ranges = await a.diff(b);
    expect(ranges.length === 0).toBe((await a.digest()) === (await b.digest()));
    expect(await b.diff(a)).toEqual(ranges);
  }

  /** In place of the snapshot there is then what was loaded. */
  private async saveAndLoad(): Promise<void> {
    const [saved, base] = [this.next(), this.next()];
    const path = join(this.host.directory, 'a.snap');
    await saved.save(path, { base, compress: saved.steps % 2 === 0 });
    const loaded = await this.host.loadSnapshot(path, { bases: [base] });
    expect(await loaded.id).toBe(await saved.id);
    this.snapshots[this.snapshots.indexOf(saved)] = loaded;
  }

  /** To a step that lies ahead, for which a running guest is halted first. */
  private async runOn(): Promise<void> {
    if (this.vm.state === 'running' || this.vm.state === 'idle') this.vm.pause();
    const step = (this.vm.state === 'closed' ? 0 : this.vm.stats().steps) + 5;
    await this.vm.runUntil(step);
    expect(this.vm.stats().steps).toBe(step);
  }
}

async function expectSame(vm: Vm, snapshot: VmSnapshot): Promise<void> {
  expect((await vm.digest()).value).toBe(await snapshot.digest());
  expect(vm.registers()).toEqual(snapshot.registers());
  expect(vm.stats().steps).toBe(snapshot.steps);
}

async function begin(host: Host, program: string): Promise<System> {
  const name = program;
  if (program === DOOMED) {
    const snapshot = await faultingSnapshot(host, join(host.directory, 'doomed.snap'));
    const vm = await host.restore(snapshot, { name });
    return new System(host, vm, await vm.snapshot());
  }
  const vm = await host.createVm({ name, program, memory: '1 MiB', seed: 1 });
  return new System(host, vm, await vm.snapshot());
}

async function run(program: string, sequence: readonly Action[]): Promise<void> {
  await using host = await Host.create();
  const system = await begin(host, program);
  const { vm } = system;
  const model = new Model(program);

  for (const action of sequence) {
    const expected = model.expected(action);
    const where = `${action} in ${model.state}`;
    const failure: unknown = await system.perform(action).then(
      () => undefined,
      (error: unknown) => error,
    );
    if ('error' in expected) {
      if (!isStandstillError(failure)) throw failure ?? new Error(`${where} did not fail`);
      expect(`${where}: ${failure.code}`).toBe(`${where}: ${expected.error}`);
    } else if (failure !== undefined) throw failure;
    if (expected.to !== undefined) model.take(action, expected.to);
    expect(`${where}: ${seen(vm.state)}`).toBe(`${where}: ${model.state}`);
  }
}

describe('the engine follows the table of states', () => {
  it('through any sequence of operations', { timeout: 300_000 }, async () => {
    await fc.assert(fc.asyncProperty(programs, actions, run), { numRuns: 300 });
  });

  it.each(OPERATIONS)('%s of a VM that was never started, of a faulted one, and of a closed one', async (operation) => {
    await run('kv-store', [operation]);
    await run(DOOMED, ['resume', operation]);
    await run('kv-store', ['close', operation]);
  });

  it.each(OF_SNAPSHOTS)('%s, whatever the VM is at', async (action) => {
    for (const before of [[], ['start'], ['runUntil'], ['start', 'freeze'], ['close']] as const)
      await run('kv-store', ['liveSnapshot', 'runUntil', 'liveSnapshot', ...before, action]);
    await run(DOOMED, ['liveSnapshot', 'resume', action]);
  });
});

it('steps, RAM and registers do not depend on how often and when a guest was halted', {
  timeout: 300_000,
}, async () => {
  const interruption = fc.constantFrom('pause', 'freeze', 'endEpoch', 'stats');
  const interruptions = fc.array(interruption, { maxLength: 20 });
  const steps = fc.integer({ min: 1, max: 20_000 });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('kv-store', 'queue', 'page-writer', 'ticker'), steps, interruptions, twins),
    { numRuns: 60 },
  );
});

async function twins(program: string, steps: number, interruptions: readonly string[]): Promise<void> {
  await using host = await Host.create();
  const options = { program, memory: '1 MiB', seed: steps };
  using twin = await EmulatedVm.create(options);
  await twin.runUntil(steps);
  const vm = await host.createVm(options);
  const reached = vm.runUntil(steps);
  for (const interruption of interruptions) {
    if (interruption === 'freeze') host.freeze().release();
    else if (interruption === 'endEpoch') vm.endEpoch();
    else if (interruption === 'stats') vm.stats();
    // A guest that got there meanwhile has halted by itself, and is not ours to resume.
    else if (vm.pause().latencyNs !== 0) vm.resume();
  }
  await reached;
  expect(vm.stats().steps).toBe(steps);
  expect((await vm.digest()).value).toBe((await twin.digest()).value);
  expect(vm.registers()).toEqual(twin.registers());
}
