// A model of events and of what guests see of them, beside the store, through random lives.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { EventLog } from '../../src/base/event-log.js';
import { parseOptions } from '../../src/base/options.js';
import { metadataSchema } from '../../src/scheduled-events/options.js';
import { EventStore } from '../../src/scheduled-events/store.js';
import { Timing } from '../../src/scheduled-events/timing.js';
import { VirtualClock } from '../unit/scheduled-events/virtual-clock.js';

const VMS = ['web-0', 'web-1', 'db'] as const;
const SET = ['web-0', 'web-1'];
const DISABLE_AFTER_MS = 10_000;

interface ModelEvent {
  readonly id: string;
  readonly vms: readonly string[];
  readonly dueAtMs: number;
  status: 'Scheduled' | 'Started';
  due: 'acknowledged' | 'not-before' | undefined;
}

interface Model {
  readonly events: ModelEvent[];
  readonly incarnation: Record<string, number>;
  readonly askedAtMs: Record<string, number | undefined>;
}

interface Real {
  readonly clock: VirtualClock;
  readonly store: EventStore;
  readonly due: Map<string, string>;
}

const seenBy = (model: Model, vm: string) =>
  model.events.filter(({ vms }) => vms.some((hit) => hit === vm || (SET.includes(hit) && SET.includes(vm))));

const changes = (model: Model, { vms }: ModelEvent, change: () => void) => {
  const audience = VMS.filter((vm) => vms.some((hit) => hit === vm || (SET.includes(hit) && SET.includes(vm))));
  change();
  for (const vm of audience) model.incarnation[vm] = (model.incarnation[vm] ?? 0) + 1;
};

/** After every step: each VM's document is the model's, and what is due is what the model says. */
async function compare(model: Model, { store, due }: Real): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  for (const vm of VMS) {
    const document = JSON.parse(store.document(vm, '2020-07-01').body);
    expect(document.DocumentIncarnation).toBe(model.incarnation[vm]);
    expect(document.Events.map((event: { EventId: string }) => event.EventId)).toEqual(
      seenBy(model, vm).map(({ id }) => id),
    );
    for (const [index, { status, dueAtMs }] of seenBy(model, vm).entries()) {
      const shown = document.Events[index];
      expect(shown.EventStatus).toBe(status);
      if (status === 'Started') expect(shown.NotBefore).toBe('');
      else expect(Date.parse(shown.NotBefore)).toBe(Math.floor(dueAtMs / 1000) * 1000);
    }
  }
  for (const event of model.events) expect(due.get(event.id)).toBe(event.due);
}

class Step implements fc.AsyncCommand<Model, Real> {
  constructor(
    readonly name: string,
    readonly act: (model: Model, real: Real) => void,
  ) {}

  check = () => true;

  async run(model: Model, real: Real): Promise<void> {
    this.act(model, real);
    await compare(model, real);
  }

  toString = () => this.name;
}

const vmArbitrary = fc.constantFrom(...VMS);
const pick = (model: Model, at: number): ModelEvent | undefined => model.events[at % Math.max(1, model.events.length)];

const commands = [
  fc.tuple(fc.uniqueArray(vmArbitrary, { minLength: 1 }), fc.integer({ min: 0, max: 5000 })).map(
    ([vms, noticeMs]) =>
      new Step(`schedule ${vms} in ${noticeMs}`, (model, { clock, store, due }) => {
        const event = store.schedule(
          { type: 'Freeze', resources: vms, durationSeconds: 1, source: 'Platform' },
          noticeMs,
        );
        store.due(event.id).then((why) => due.set(event.id, why));
        const made: ModelEvent = {
          id: event.id,
          vms,
          dueAtMs: clock.nowMs() + noticeMs,
          status: 'Scheduled',
          due: undefined,
        };
        changes(model, made, () => model.events.push(made));
      }),
  ),
  vmArbitrary.map(
    (vm) =>
      new Step(`fail ${vm}`, (model, { clock, store, due }) => {
        const { id } = store.schedule(
          { type: 'Reboot', resources: [vm], durationSeconds: 1, source: 'Platform' },
          undefined,
        );
        store.due(id).then((why) => due.set(id, why));
        const made: ModelEvent = { id, vms: [vm], dueAtMs: clock.nowMs(), status: 'Started', due: undefined };
        changes(model, made, () => model.events.push(made));
      }),
  ),
  fc.tuple(vmArbitrary, fc.nat()).map(
    ([vm, at]) =>
      new Step(`${vm} acknowledges ${at}`, (model, { store }) => {
        const event = pick(model, at);
        if (event === undefined) return expect(store.acknowledge(vm, ['NONE'])).toBe(false);
        const sees = seenBy(model, vm).includes(event);
        expect(store.acknowledge(vm, [event.id])).toBe(sees);
        if (sees) event.due ??= 'acknowledged';
      }),
  ),
  fc.nat().map(
    (at) =>
      new Step(`start ${at}`, (model, { store }) => {
        const event = pick(model, at);
        if (event === undefined) return;
        store.start(event.id);
        if (event.status === 'Scheduled') {
          changes(model, event, () => {
            event.status = 'Started';
          });
        }
      }),
  ),
  fc.nat().map(
    (at) =>
      new Step(`remove ${at}`, (model, { store }) => {
        const event = pick(model, at);
        if (event === undefined) return;
        store.remove(event.id, 'completed');
        changes(model, event, () => model.events.splice(model.events.indexOf(event), 1));
        store.remove(event.id, 'completed');
      }),
  ),
  fc.integer({ min: 0, max: 6000 }).map(
    (ms) =>
      new Step(`${ms} ms pass`, (model, { clock }) => {
        clock.advance(ms);
        for (const event of model.events) {
          if (event.status === 'Scheduled' && event.dueAtMs <= clock.nowMs()) event.due ??= 'not-before';
        }
      }),
  ),
  vmArbitrary.map(
    (vm) =>
      new Step(`${vm} asks`, (model, { clock, store }) => {
        const lastMs = model.askedAtMs[vm];
        if (lastMs !== undefined && clock.nowMs() - lastMs >= DISABLE_AFTER_MS) model.incarnation[vm] = 1;
        model.askedAtMs[vm] = clock.nowMs();
        store.asked(vm, {
          atMs: clock.nowMs(),
          method: 'GET',
          apiVersion: '',
          remoteAddress: '',
          userAgent: undefined,
        });
      }),
  ),
];

it('a store of events does what its model does', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 60 }), async (steps) => {
      await fc.asyncModelRun(() => {
        const clock = new VirtualClock();
        const timing = new Timing(parseOptions(metadataSchema, { disableAfterMs: DISABLE_AFTER_MS }, 'a test'));
        const store = new EventStore(clock, timing, new EventLog());
        for (const vm of VMS) store.addVm(vm);
        store.defineSet('web', SET);
        return {
          model: { events: [], incarnation: Object.fromEntries(VMS.map((vm) => [vm, 1])), askedAtMs: {} },
          real: { clock, store, due: new Map<string, string>() },
        };
      }, steps);
    }),
    { numRuns: 200 },
  );
});
