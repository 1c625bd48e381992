import { during, Host, type Vm } from 'standstill';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectToRun, startedVm } from '../fixtures/hosts.js';
import { patchPath } from '../fixtures/patches.js';

let host: Host;
let vm: Vm;
beforeEach(async () => {
  host = await Host.create();
  vm = await startedVm(host, { program: 'kv-store' });
});
afterEach(() => host.close());

/** A maintenance whose patch ends only when it is cancelled. */
const endless = () => host.applyMaintenance({ patches: [patchPath('waits.mjs')] });

describe('a maintenance', () => {
  it('is the promise of its report, and tells what happens until then', async () => {
    const maintenance = host.applyMaintenance();
    const seen: string[] = [];
    using _subscription = maintenance.subscribe((event) => {
      if (event.type === 'phase') seen.push(event.phase);
    });
    expect(maintenance.phase).toBeNull();
    await maintenance.reached('freeze');
    const report = await maintenance;
    expect(report.ok).toBe(true);
    expect(seen.at(-1)).toBe('done');
    expect(maintenance.phase).toBe('done');
    // Long over, so at once.
    await maintenance.reached('freeze');
    await expect(maintenance.reached('shut-down')).rejects.toMatchObject({ code: 'ERR_PHASE_NOT_REACHED' });
  });

  it('is aborted by its handle, as by its signal', async () => {
    const maintenance = endless();
    await maintenance.reached('patch');
    expect(vm.state).toBe('paused');
    maintenance.abort();
    await expect(maintenance).rejects.toMatchObject({ code: 'ERR_ABORTED' });
    await expectToRun(vm);
  });

  it('that nobody catches is an unhandled rejection, as any promise', async () => {
    const unhandled = new Promise((resolve) => {
      const others = process.listeners('unhandledRejection');
      process.removeAllListeners('unhandledRejection');
      process.once('unhandledRejection', (reason) => {
        for (const listener of others) process.on('unhandledRejection', listener);
        resolve(reason);
      });
    });
    host.applyMaintenance({ patches: ['./is-not-there.mjs'] });
    expect(await unhandled).toMatchObject({ code: 'ERR_PATCH_NOT_FOUND' });
  });
});

describe('during', () => {
  it('runs the callback beside the maintenance and resolves with the report of it', async () => {
    const undone: string[] = [];
    const states: string[] = [];
    const report = await during(host.applyMaintenance(), async (phase) => {
      phase.defer(() => undone.push(`undone in ${phase.current}`));
      await phase.reached('patch');
      states.push(vm.state);
      await phase.reached('done');
    });
    expect(report.ok).toBe(true);
    expect(states).toHaveLength(1);
    expect(undone).toEqual(['undone in done']);
  });

  it('a callback that throws ends the maintenance: VMs run, all is undone, its error comes out', async () => {
    const undone: string[] = [];
    const outcome = during(endless(), async (phase) => {
      phase.defer(() => undone.push('undone'));
      await phase.reached('patch');
      throw new Error('of the callback');
    });
    await expect(outcome).rejects.toThrow(/^of the callback$/);
    expect(undone).toEqual(['undone']);
    await expectToRun(vm);
  });

  it('a callback that throws when the maintenance is over fails it nonetheless', async () => {
    const outcome = during(host.applyMaintenance(), async (phase) => {
      await phase.reached('done');
      throw new Error('of the callback');
    });
    await expect(outcome).rejects.toThrow(/^of the callback$/);
  });

  it('a callback that hangs: all is undone after its grace, and its signal aborts', async () => {
    const undone: string[] = [];
    let signal: AbortSignal | undefined;
    const outcome = during(
      host.applyMaintenance(),
      (phase) => {
        signal = phase.signal;
        phase.defer(() => undone.push('undone'));
        return new Promise(() => {});
      },
      { graceMs: 50 },
    );
    await expect(outcome).rejects.toMatchObject({ code: 'ERR_CALLBACK_TIMEOUT' });
    expect(undone).toEqual(['undone']);
    expect(signal?.aborted).toBe(true);
    await expectToRun(vm);
  });

  it('a maintenance that fails comes out itself, not what the callback makes of it', async () => {
    const undone: string[] = [];
    const outcome = during(host.applyMaintenance({ patches: ['./is-not-there.mjs'] }), async (phase) => {
      phase.defer(() => undone.push('undone'));
      await phase.reached('freeze');
    });
    await expect(outcome).rejects.toMatchObject({ code: 'ERR_PATCH_NOT_FOUND' });
    expect(undone).toEqual(['undone']);
  });

  it('a maintenance that fails aborts the signal of a callback that would wait on', async () => {
    const outcome = during(
      host.applyMaintenance({ patches: ['./is-not-there.mjs'] }),
      ({ signal }) => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
    );
    await expect(outcome).rejects.toMatchObject({ code: 'ERR_PATCH_NOT_FOUND' });
  });

  it('an undoing that hangs is not waited for without end', { timeout: 30_000 }, async () => {
    const undone: string[] = [];
    const outcome = during(host.applyMaintenance(), ({ defer }) => {
      defer(() => undone.push('undone'));
      defer(() => new Promise(() => {}));
    });
    await expect(outcome).rejects.toMatchObject({ code: 'ERR_CALLBACK_TIMEOUT' });
    expect(undone).toEqual(['undone']);
  });

  it.each([{ graceMs: -1 }, { graceMs: 'long' }, { grace: 1 }])('refuses %j', async (options) => {
    // @ts-expect-error: bad input is the point
    await expect(during(host.applyMaintenance(), () => {}, options)).rejects.toMatchObject({
      code: 'graceMs' in options ? 'ERR_INVALID_OPTION' : 'ERR_UNKNOWN_OPTION',
    });
    await expectToRun(vm);
  });

  it('refuses a report', async () => {
    const report = await host.applyMaintenance();
    // @ts-expect-error: bad input is the point
    await expect(during(report, () => {})).rejects.toThrow(/^Expected what applyMaintenance returned, not awaited/);
  });
});
