import { z } from 'zod';

export const text = z.string('text');
export const finite = z.number('a finite number');
export const count = z.int('a whole number').nonnegative('a whole number of 0 at least');
export const flag = z.boolean('true or false');
export const listOf = <Item extends z.ZodType>(item: Item, of: string) => z.array(item, `an array of ${of}`);

const names = listOf(text, 'names');
const stamp = { seq: count, atNs: finite, wallTimeMs: finite };
const onHost = { host: text };
const ofVm = { host: text, vm: text };
const ofEvent = { host: text, eventId: text };
const impact = { ...ofVm, cause: text, updateDomain: count.nullable(), haltedAtNs: finite };
const domain = { rollout: text, direction: z.enum(['forward', 'rollback']), updateDomain: count };
const rollout = { rollout: text };
const scheduledEvent = z.looseObject({
  id: text,
  status: z.enum(['Scheduled', 'Started']),
  type: text,
  resources: names,
  notBeforeMs: finite,
  description: text,
  source: text,
  durationSeconds: finite,
});

/** The entries that reports are derived from, by `type`. */
const SHAPES = {
  'vm-placed': { ...ofVm, availabilitySet: text.nullable(), updateDomain: count, faultDomain: count },
  'vm-created': { ...ofVm, program: text, ramBytes: count },
  'vm-started': ofVm,
  'vm-paused': ofVm,
  'vm-resumed': ofVm,
  'vm-rolled-back': ofVm,
  'vm-faulted': ofVm,
  'vm-closed': ofVm,
  'maintenance-begin': { ...onHost, vms: names, budgetMs: finite },
  'maintenance-end': { ...onHost, ok: flag, problems: listOf(text, 'texts') },
  'maintenance-rejected': { ...onHost, code: text.nullable(), message: text },
  'impact-begin': { ...impact, requestedAtNs: finite },
  'impact-end': { ...impact, releasedAtNs: finite, resumedAtNs: finite, resumedBy: text.nullable() },
  'event-scheduled': { ...onHost, event: scheduledEvent },
  'event-acknowledged': { ...ofEvent, vm: text },
  'event-notice-passed': ofEvent,
  'event-started': { ...onHost, event: scheduledEvent },
  'event-impact-begin': { ...ofEvent, vms: names },
  'event-impact-end': { ...ofEvent, vms: names },
  'event-impact-failed': { ...ofEvent, message: text },
  'event-removed': { ...ofEvent, reason: text },
  'domain-begin': { ...domain, hosts: names },
  'domain-end': { ...domain, ok: flag, problems: listOf(text, 'texts') },
  'rollout-started': rollout,
  'rollout-resumed': rollout,
  'rollback-begin': rollout,
  'rollout-stopped': { ...rollout, reason: text },
  'rollout-done': rollout,
  'rollout-rolled-back': rollout,
  'rollout-abandoned': rollout,
  probe: {
    probe: text,
    ok: flag,
    latencyNs: finite,
    phase: z.enum(['before', 'during', 'after']),
    error: z.looseObject({ code: text, message: text }).nullable(),
  },
  'probe-unhealthy': { probe: text, message: text },
} as const satisfies Record<string, z.core.$ZodShape>;

const TYPES = Object.keys(SHAPES);
const SCHEMAS = new Map(Object.entries(SHAPES).map(([type, shape]) => [type, z.looseObject(shape)]));

/** An entry of the log: one that reports read has all that they read, any other is let through. */
export const entrySchema = z
  .looseObject({ ...stamp, type: text }, 'an entry of an event log')
  .check(({ value, issues }) => {
    const parsed = SCHEMAS.get(value.type)?.safeParse(value, { reportInput: true });
    for (const { message, path, input } of parsed?.error?.issues ?? []) {
      issues.push({ code: 'custom', message, path, input });
    }
  })
  // What the check above is to readers of the JSON Schema.
  .meta({
    anyOf: [
      ...Object.entries(SHAPES).map(([type, shape]) => {
        const { $schema: _, ...schema } = z.toJSONSchema(z.looseObject({ type: z.literal(type), ...shape }));
        return schema;
      }),
      { properties: { type: { not: { enum: TYPES } } } },
    ],
  });
