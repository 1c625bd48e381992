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

/** What a sequence is made of: every operation of the table, and a freeze that is held for some of them. */
type Action = VmOperation | 'freeze' | 'release';

const OPERATIONS = Object.keys(STATE_TABLE.created) as VmOperation[];
/** What somebody else may not do while a freeze holds the VM. */
const HELD = new Set<Action>(['resume', 'runUntil', 'freeze', 'rollback', 'explore']);
/** Closing ends every sequence but its own errors, so it is drawn more seldom than the rest. */
const actions = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.constantFrom<Action>(...OPERATIONS.filter((name) => name !== 'close')) },
    { weight: 4, arbitrary: fc.constantFrom<Action>('freeze', 'release') },
    { weight: 1, arbitrary: fc.constant<Action>('close') },
  ),
  { minLength: 1, maxLength: 30 },
);
const programs = fc.constantFrom('kv-store', 'queue', 'page-writer', 'hash-chain', 'ticker', 'idle');

/** The guest sleeps and wakes by itself, so that the two are one to the model. */
const seen = (state: VmState): VmState => (state === 'idle' ? 'running' : state);

type Expected = { readonly error: string } | { readonly to: VmState };

class Model {
  state: VmState = 'created';
  frozen = false;
  #runsAfterRelease = false;

  /** The code of the error, or the one state that the VM is in afterwards. */
  expected(action: Action): Expected {
    if (this.frozen && (HELD.has(action) || (action === 'start' && this.state === 'created')))
      return { error: 'ERR_BUSY' };
    if (action === 'freeze') {
      if (this.state === 'closed') return { error: 'ERR_VM_CLOSED' };
      return { to: this.state === 'running' ? 'paused' : this.state };
    }
    if (action === 'release') return { to: this.frozen && this.#runsAfterRelease ? 'running' : this.state };
    const outcome = STATE_TABLE[this.state][action];
    if ('error' in outcome) return outcome;
    const [to, ...more] = new Set(outcome.to.map(seen));
    if (to === undefined || more.length > 0) throw new Error(`the table leaves open what ${action} leads to`);
    return { to };
  }

  take(action: Action, to: VmState): void {
    if (action === 'freeze') this.#runsAfterRelease = this.state === 'running';
    if (action === 'freeze' || action === 'release') this.frozen = action === 'freeze';
    this.state = to;
    if (to === 'closed') this.frozen = false;
  }
}

class System {
  readonly host: Host;
  readonly vm: Vm;
  scope: ReturnType<Host['freeze']> | undefined;

  /** The snapshots taken so far, the first one of the VM as it was created. */
  private readonly snapshots: VmSnapshot[];

  constructor(host: Host, vm: Vm, created: VmSnapshot) {
    this.host = host;
    this.vm = vm;
    this.snapshots = [created];
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
      case 'liveSnapshot':
        return void this.snapshots.push(await vm.snapshot({ live: action === 'liveSnapshot' }));
      case 'rollback':
        return await this.goBack(async (to) => void (await vm.rollback(to)));
      case 'explore':
        return await this.goBack(async (to) => {
          expect(await vm.explore(to, { runs: 2, steps: 20, seed: 3 })).toMatchObject({ runs: 2, findingsTotal: 0 });
        });
      case 'digest':
        return void (await vm.digest());
      default:
        return void vm[action]();
    }
  }

  /** To any of the snapshots, in turn: RAM, registers and step are then as they were. */
  private async goBack(way: (to: VmSnapshot) => Promise<void>): Promise<void> {
    const [to] = this.snapshots;
    if (to === undefined) throw new Error('there is always the first one');
    this.snapshots.push(...this.snapshots.splice(0, 1));
    await way(to);
    expect((await this.vm.digest()).value).toBe(await to.digest());
    expect(this.vm.registers()).toEqual(to.registers());
    expect(this.vm.stats().steps).toBe(to.steps);
  }

  /** To a step that lies ahead, for which a running guest is halted first. */
  private async runOn(): Promise<void> {
    if (this.vm.state === 'running' || this.vm.state === 'idle') this.vm.pause();
    const step = (this.vm.state === 'closed' ? 0 : this.vm.stats().steps) + 5;
    await this.vm.runUntil(step);
    expect(this.vm.stats().steps).toBe(step);
  }
}

async function run(program: string, sequence: readonly Action[]): Promise<void> {
  await using host = await Host.create();
  const vm = await host.createVm({ program, memory: '1 MiB', seed: 1 });
  const system = new System(host, vm, await vm.snapshot());
  const model = new Model();

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
    } else {
      if (failure !== undefined) throw failure;
      model.take(action, expected.to);
    }
    expect(`${where}: ${seen(vm.state)}`).toBe(`${where}: ${model.state}`);
  }
}

describe('the engine follows the table of states', () => {
  it('through any sequence of operations', { timeout: 300_000 }, async () => {
    await fc.assert(fc.asyncProperty(programs, actions, run), { numRuns: 300 });
  });

  it.each(OPERATIONS)('%s of a VM that was never started, and of a closed one', async (operation) => {
    await run('kv-store', [operation]);
    await run('kv-store', ['close', operation]);
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
