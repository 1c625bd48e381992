import { z } from 'zod';
import { wholeNumber } from '../base/options.js';
import { HOSTS_MAX, UPDATE_DOMAINS_MAX } from '../fleet/options.js';
import { EVENT_SOURCES, EVENT_TYPES } from '../scheduled-events/event.js';
import { duration, name, names, text } from './fields.js';
import { exactlyOneOf } from './refinements.js';

const TIMES_MAX = 10_000;
export const ACTIONS = ['maintenance', 'rollout', 'freeze', 'pause', 'resume', 'event'] as const;
export type ActionKind = (typeof ACTIONS)[number];

const vms = () =>
  names('a list of names of VMs').meta({ description: 'Names of VMs; that of an entry with a count means all of it.' });
const patches = () =>
  names('a list of names of patches').meta({ description: 'Names of patches of this file. Default: all.' });
const allowReboot = z
  .boolean('true or false')
  .default(false)
  .meta({ description: 'Let a patch of class reboot restart the VMs; their memory is then lost.' });
const budget = duration({ isZeroAllowed: false })
  .optional()
  .meta({ description: "Longest freeze. Default: the scenario's." });
const secondSchema = z
  .strictObject(
    { after: duration(), duration: duration({ isZeroAllowed: false }) },
    'an object with after and duration',
  )
  .meta({ description: 'A second, shorter impact: so long after the end of the first, for so long.' });

const maintenanceSchema = z
  .strictObject(
    {
      host: name().optional().meta({ description: 'Which host; with a single one, that.' }),
      vms: vms().optional(),
      patches: patches().optional(),
      budget,
      second: secondSchema.optional(),
      allowReboot,
    },
    'an object',
  )
  .meta({ description: 'Freeze the VMs of one host, patch it, resume them.' });

const rolloutSchema = z
  .strictObject(
    {
      sets: names('a list of names of sets').optional().meta({ description: 'Availability sets. Default: all hosts.' }),
      patches: patches().optional(),
      rollbackPatches: patches().optional().meta({ description: 'What takes modules back, in this order.' }),
      order: z
        .array(wholeNumber(0, UPDATE_DOMAINS_MAX - 1), 'a list of update domains')
        .optional()
        .meta({ description: 'The update domains in their order.' }),
      pauseBetween: duration().default(0).meta({ description: 'Between two update domains.' }),
      hostsAtOnce: wholeNumber(1, HOSTS_MAX).optional().meta({ description: 'Of a domain. Default: all of it.' }),
      onFailure: z
        .enum(['stop', 'rollback'], "'stop' or 'rollback'")
        .default('stop')
        .meta({ description: 'What follows a failure.' }),
      budget,
      allowReboot,
    },
    'an object',
  )
  .meta({ description: 'Patch all hosts, one update domain after the other.' });

const freezeSchema = z
  .strictObject(
    {
      vms: vms(),
      duration: duration({ isZeroAllowed: false }).meta({ description: 'How long they stand still.' }),
    },
    'an object with vms and duration',
  )
  .meta({ description: 'Freeze VMs, without a maintenance.' });

const pauseSchema = z
  .strictObject({ vms: vms() }, 'an object with vms')
  .meta({ description: 'Pause VMs. They stand still until they are resumed, and no deadline resumes them.' });

const resumeSchema = z
  .strictObject({ vms: vms() }, 'an object with vms')
  .meta({ description: 'Resume VMs that an earlier entry has paused.' });

const eventSchema = z
  .strictObject(
    {
      type: z
        .enum(EVENT_TYPES, `one of ${EVENT_TYPES.join(', ')}`)
        .optional()
        .meta({
          description:
            'Freeze: the VMs stand still. Reboot, Redeploy: they start anew. Preempt, Terminate: they are closed.',
        }),
      hardwareFailure: z
        .literal(true, 'true')
        .optional()
        .meta({ description: 'A Reboot without notice, instead of a type.' }),
      vms: vms().optional(),
      notice: duration().optional().meta({ description: "Default: that of 'metadata'." }),
      duration: duration().optional().meta({ description: 'How long the impact lasts.' }),
      settle: duration().optional().meta({ description: "Default: that of 'metadata'." }),
      source: z.enum(EVENT_SOURCES, "'Platform' or 'User'").optional(),
      description: text('text').optional(),
      second: secondSchema.optional(),
      cancelAfter: duration().optional().meta({ description: 'Withdraw it so long after it was scheduled.' }),
    },
    'an object with type',
  )
  .check(exactlyOneOf(['type', 'hardwareFailure']))
  .meta({ description: 'A Scheduled Event without a maintenance behind it. It needs metadata.' });

export const entrySchema = z
  .strictObject(
    {
      id: name()
        .optional()
        .meta({ description: "By which 'after' names it. Default: <kind>-<number>, as 'rollout-1'." }),
      at: duration().optional().meta({ description: 'Since all guests run and are ready.' }),
      every: duration({ isZeroAllowed: false })
        .optional()
        .meta({ description: "Repeated, from 'at' or 'after' on, else after the first such time." }),
      times: wholeNumber(1, TIMES_MAX)
        .optional()
        .meta({ description: "How often, with 'every'. Default: until the scenario's duration." }),
      after: text('the id or kind of an entry, or an event of the log').optional().meta({
        description:
          "Once an entry (its id or kind) has ended, or the event log has such an event, as 'event-started'.",
      }),
      delay: duration().optional().meta({ description: "So long behind 'after'." }),
      jitter: duration().default(0).meta({ description: 'Up to so much later, drawn from the seed.' }),
      maintenance: maintenanceSchema.optional(),
      rollout: rolloutSchema.optional(),
      freeze: freezeSchema.optional(),
      pause: pauseSchema.optional(),
      resume: resumeSchema.optional(),
      event: eventSchema.optional(),
    },
    'an object with a moment (at, every or after) and what happens',
  )
  .check(exactlyOneOf(ACTIONS))
  .meta({
    description: 'A moment (at, every or after), and one of maintenance, rollout, freeze, pause, resume and event.',
  });
