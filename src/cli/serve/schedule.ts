import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf, StandstillError } from '../../base/errors.js';
import { parseOptions } from '../../base/options.js';
import { NS_PER_MS, parseDurationNs } from '../../base/units.js';
import { EVENT_SOURCES, EVENT_TYPES } from '../../scheduled-events/event.js';

const EXPECTED_DURATION = "a duration such as '10s'";
const EXPECTED_NAMES = 'a list of names of VMs';

const durationSchema = z
  .string(EXPECTED_DURATION)
  .transform((text) => parseDurationNs(text, 'a duration of the schedule file') / NS_PER_MS);
const namesSchema = z.array(z.string(EXPECTED_NAMES), EXPECTED_NAMES);

const eventSchema = z.strictObject({
  after: durationSchema.default(0),
  every: durationSchema.optional(),
  type: z.enum(EVENT_TYPES, `one of ${EVENT_TYPES.join(', ')}`).optional(),
  hardwareFailure: z.literal(true, 'true').optional(),
  vms: namesSchema.optional(),
  notice: durationSchema.optional(),
  duration: durationSchema.optional(),
  settle: durationSchema.optional(),
  source: z.enum(EVENT_SOURCES, "'Platform' or 'User'").optional(),
  description: z.string('text').optional(),
  second: z.strictObject({ after: durationSchema, duration: durationSchema }).optional(),
  cancelAfter: durationSchema.optional(),
});

const scheduleSchema = z.strictObject({
  timeScale: z.number('a number').optional(),
  notice: durationSchema.optional(),
  settle: durationSchema.optional(),
  enablingDelay: durationSchema.optional(),
  sets: z.record(z.string(), namesSchema, 'an object of lists of VMs').default({}),
  faults: z
    .record(z.string(), z.array(z.union([z.string(), z.number()], 'a step'), 'a list of steps'), 'an object')
    .default({}),
  events: z.array(eventSchema, 'a list of events').default([]),
});

/** One entry of a schedule; its durations in milliseconds of the cloud. */
export type ScheduleEntry = z.output<typeof eventSchema>;
export type Schedule = z.output<typeof scheduleSchema>;

/** A schedule file: YAML, or JSON, which is YAML too. Rejects with ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION. */
export async function readSchedule(path: string): Promise<Schedule> {
  let document: unknown;
  try {
    document = parse(await readFile(path, 'utf8')) ?? {};
  } catch (error) {
    throw new StandstillError('ERR_INVALID_OPTION', `Expected a schedule file for --schedule but: ${messageOf(error)}`);
  }
  const schedule = parseOptions(scheduleSchema, document, 'the schedule file');
  for (const [index, { type, hardwareFailure }] of schedule.events.entries()) {
    if ((type === undefined) !== (hardwareFailure === undefined)) continue;
    const received = type === undefined ? 'neither' : 'both';
    const message = `Expected either 'type' or 'hardwareFailure' for 'events.${index}' of the schedule file but received ${received}`;
    throw new StandstillError('ERR_INVALID_OPTION', message);
  }
  return schedule;
}
