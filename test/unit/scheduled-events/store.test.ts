import { beforeEach, describe, expect, it } from 'vitest';
import { EventLog } from '../../../src/base/event-log.js';
import { parseOptions } from '../../../src/base/options.js';
import type { MetadataEvent } from '../../../src/scheduled-events/events.js';
import { metadataSchema } from '../../../src/scheduled-events/options.js';
import { EventStore, type NewEvent } from '../../../src/scheduled-events/store.js';
import { Timing, type TimingOptions } from '../../../src/scheduled-events/timing.js';
import { VirtualClock } from './virtual-clock.js';

const DAY_MS = 24 * 3_600_000;
const FREEZE: NewEvent = { type: 'Freeze', resources: ['web-0'], durationSeconds: 9, source: 'Platform' };
const REQUEST = { method: 'GET', apiVersion: '2020-07-01', remoteAddress: '127.0.0.1', userAgent: undefined };

let clock: VirtualClock;
let log: EventLog<MetadataEvent>;
let store: EventStore;

function open(options: TimingOptions = {}): void {
  clock = new VirtualClock();
  log = new EventLog();
  store = new EventStore(clock, new Timing(parseOptions(metadataSchema, options, 'a test')), log);
  for (const vm of ['web-0', 'web-1', 'db']) store.addVm(vm);
}
beforeEach(() => open());

const incarnations = () => store.vms.map((vm) => store.view(vm).incarnation);
const ask = (vm = 'web-0') => store.asked(vm, { ...REQUEST, atMs: clock.nowMs() });

describe('a view', () => {
  it('of a VM by itself has its own events', () => {
    const { id } = store.schedule(FREEZE, 1000);
    expect(store.eventsOf('web-0').map((event) => event.id)).toEqual([id]);
    expect(store.eventsOf('web-1')).toEqual([]);
    expect(incarnations()).toEqual([2, 1, 1]);
  });

  it('of a VM in a set has the set’s events, which name the VMs that are hit', () => {
    store.defineSet('web', ['web-0', 'web-1']);
    store.schedule(FREEZE, 1000);
    expect(store.eventsOf('web-1').map(({ resources }) => resources)).toEqual([['web-0']]);
    expect(store.eventsOf('db')).toEqual([]);
    expect(incarnations()).toEqual([2, 2, 1]);
  });

  it('changes with its set', () => {
    store.schedule(FREEZE, 1000);
    store.defineSet('web', ['web-0', 'web-1']);
    expect(store.eventsOf('web-1')).toHaveLength(1);
    expect(incarnations()).toEqual([2, 2, 1]);
    store.defineSet('web', ['web-0']);
    expect(store.eventsOf('web-1')).toEqual([]);
    expect(incarnations()).toEqual([2, 3, 1]);
  });

  it('counts one for each change: scheduled, started, removed', () => {
    const { id } = store.schedule(FREEZE, 1000);
    store.start(id);
    store.start(id);
    store.remove(id, 'completed');
    store.remove(id, 'completed');
    expect(incarnations()).toEqual([4, 1, 1]);
  });

  it('counts nothing for an acknowledgement', () => {
    const { id } = store.schedule(FREEZE, 1000);
    expect(store.acknowledge('web-0', [id])).toBe(true);
    expect(incarnations()).toEqual([2, 1, 1]);
  });

  it('groups the VMs of an impact as they are seen', () => {
    store.defineSet('web', ['web-0', 'web-1']);
    expect(store.grouped(['web-1', 'db', 'web-0'])).toEqual([['web-1', 'web-0'], ['db']]);
  });

  it('knows no VM twice, and says what is near an unknown one', () => {
    expect(() => store.addVm('db')).toThrowError(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
    expect(() => store.view('wep-0')).toThrowError(/did you mean 'web-0'/);
  });
});

describe('an event is due', () => {
  it('when its NotBefore has passed, and no moment before', async () => {
    const { id } = store.schedule(FREEZE, 1000);
    let due: string | undefined;
    const waited = store.due(id).then((value) => {
      due = value;
    });
    clock.advance(999);
    await Promise.resolve();
    expect(due).toBeUndefined();
    clock.advance(1);
    await waited;
    expect(due).toBe('not-before');
  });

  it('when one VM that sees it acknowledges it', async () => {
    store.defineSet('web', ['web-0', 'web-1']);
    const { id } = store.schedule(FREEZE, 1000);
    expect(store.acknowledge('db', [id])).toBe(false);
    expect(store.acknowledge('web-1', [id])).toBe(true);
    expect(await store.due(id)).toBe('acknowledged');
    expect(clock.pending).toBe(0);
  });

  it('never where it is cancelled', async () => {
    const { id } = store.schedule(FREEZE, 1000);
    const due = store.due(id);
    store.remove(id, 'cancelled');
    expect(await due).toBe('removed');
    expect(clock.pending).toBe(0);
    expect(() => store.due(id)).toThrowError(expect.objectContaining({ code: 'ERR_EVENT_UNKNOWN' }));
  });
});

it('a failure appears as Started, with no notice, in one change', () => {
  store.schedule({ ...FREEZE, type: 'Reboot' }, undefined);
  expect(store.eventsOf('web-0')).toMatchObject([{ status: 'Started', type: 'Reboot' }]);
  expect(incarnations()).toEqual([2, 1, 1]);
  expect(log.entries.map(({ type }) => type)).toEqual(['event-started']);
});

describe('the service of a VM', () => {
  it('is enabled by its first request, whose reply waits as long as it takes', () => {
    open({ enablingDelayMs: 5000 });
    expect(store.view('web-0').enabledAtMs(clock.nowMs())).toBeUndefined();
    expect(ask()).toBe(5000);
    clock.advance(2000);
    expect(ask()).toBe(3000);
    clock.advance(3000);
    expect(ask()).toBe(0);
    expect(store.view('web-1').enabledAtMs(clock.nowMs())).toBeUndefined();
    expect(log.entries).toMatchObject([{ type: 'service-enabled', vm: 'web-0' }]);
  });

  it('is disabled after a day without a request, and its incarnation is reset', () => {
    store.schedule(FREEZE, DAY_MS);
    ask();
    clock.advance(DAY_MS - 1);
    ask();
    expect(store.view('web-0').incarnation).toBe(2 + 0);
    clock.advance(DAY_MS);
    expect(store.view('web-0').enabledAtMs(clock.nowMs())).toBeUndefined();
    ask();
    expect(JSON.parse(store.document('web-0', '2020-07-01').body).DocumentIncarnation).toBe(1);
    expect(log.entries.map(({ type }) => type).slice(-2)).toEqual(['service-disabled', 'service-enabled']);
  });

  it('remembers who asked when, the newest 20', () => {
    for (let count = 0; count < 30; count += 1) {
      ask();
      clock.advance(1000);
    }
    const view = store.view('web-0');
    expect(view.requests).toBe(30);
    expect(view.recentRequests).toHaveLength(20);
    expect(view.recentRequests.at(-1)).toMatchObject({ ...REQUEST, atMs: clock.nowMs() - 1000 });
  });
});

describe('timeScale shortens', () => {
  const timing = (options: TimingOptions) => new Timing(parseOptions(metadataSchema, options, 'a test'));

  it('every duration', () => {
    const scaled = timing({ timeScale: 60, enablingDelayMs: 120_000, settleMs: 6000, noticeMs: { Preempt: 60_000 } });
    expect(scaled.noticeMs('Freeze')).toBe(15_000);
    expect(scaled.noticeMs('Reboot')).toBe(15_000);
    expect(scaled.noticeMs('Redeploy')).toBe(10_000);
    expect(scaled.noticeMs('Terminate')).toBe(5000);
    expect(scaled.noticeMs('Preempt')).toBe(1000);
    expect(scaled.settleMs).toBe(100);
    expect(scaled.enablingDelayMs).toBe(2000);
    expect(scaled.disableAfterMs).toBe(24 * 60_000);
    expect(timing({ noticeMs: 500 }).noticeMs('Preempt')).toBe(500);
  });

  it.each([
    { timeScale: 0 },
    { timeScale: Number.NaN },
    { noticeMs: -1 },
    { noticeMs: { Freeze: 'soon' } },
    { settleMs: Number.POSITIVE_INFINITY },
    { disableAfterMs: 0 },
  ])('%j is refused', (options) => {
    expect(() => timing(options as TimingOptions)).toThrowError(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION' }),
    );
  });

  it('and an unknown event type is an unknown option', () => {
    expect(() => timing({ noticeMs: { Frieze: 1 } } as TimingOptions)).toThrowError(
      expect.objectContaining({ code: 'ERR_UNKNOWN_OPTION' }),
    );
  });
});
