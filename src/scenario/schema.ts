import { z } from 'zod';
import { wholeNumber } from '../base/options.js';
import { GIB, MIB, PAGE_BYTES } from '../base/units.js';
import { componentNameSchema, versionSchema } from '../components/manifest.js';
import { FAULT_DOMAINS_MAX, HOSTS_MAX, UPDATE_DOMAINS_MAX } from '../fleet/options.js';
import { FREEZERS, NETWORKS, PUBLISHED_MAX } from '../process/options.js';
import { guestPrograms } from '../vm/programs.js';
import { bytes, duration, EXPECTED_BYTES, name, text } from './fields.js';
import { expectationSchema, faultSchema, probeSchema } from './schema-checks.js';
import { entrySchema } from './schema-schedule.js';

export const VMS_MAX = 1000;

// The engine is loaded at the first look at a file, not before.
const programSchema = z.lazy(() => oneOf(guestPrograms().map((program) => program.name)));
const PROOFS = ['deferred', 'full', 'sampled', 'none'] as const;
export const BUILTIN_PATCHES = ['decompress', 'verify', 'replace'] as const;
const SEED_MAX = 2 ** 53 - 1;

const oneOf = <Value extends string>(values: readonly [Value, ...Value[]] | readonly Value[]) =>
  z.enum(values, `one of ${values.join(', ')}`);
const isRam = (size: number) => size >= MIB && size <= 64 * GIB && size % PAGE_BYTES === 0;
const EXPECTED_RAM = `${EXPECTED_BYTES}, a multiple of 4 KiB from 1 MiB to 64 GiB,`;
const EXPECTED_DUTY_CYCLE = 'a number above 0, up to 1';
const boolean = () => z.boolean('true or false');

const clockSyncSchema = z.strictObject(
  {
    mode: oneOf(['step', 'slew', 'off']).default('step').meta({ description: 'At once, at a limited rate, or not.' }),
    delay: duration().default(0).meta({ description: 'From the resume to the synchronisation.' }),
    slewPpm: wholeNumber(1, 100_000).default(500).meta({ description: 'Rate of a slew, parts per million.' }),
  },
  'an object',
);

const emulatedGuestSchema = z
  .strictObject(
    {
      program: programSchema.meta({
        description: 'A guest program of the engine: deterministic, with invariants that can be checked.',
      }),
      memory: bytes(EXPECTED_RAM, isRam)
        .default(64 * MIB)
        .meta({ description: "RAM of each VM: '64MiB', a multiple of 4 KiB, 1 MiB to 64 GiB." }),
      params: z
        .record(z.string(), z.union([z.number(), z.string()], 'a number or text'), 'an object')
        .default({})
        .meta({ description: 'Parameters of the program; `guestPrograms()` lists them.' }),
      dutyCycle: z
        .number(EXPECTED_DUTY_CYCLE)
        .positive(EXPECTED_DUTY_CYCLE)
        .max(1, EXPECTED_DUTY_CYCLE)
        .default(1)
        .meta({ description: 'Share of the time in which it runs; it never changes what it does.' }),
      clockSync: clockSyncSchema.prefault({}).meta({ description: 'How its wall clock catches up after a pause.' }),
    },
    'an object',
  )
  .meta({ description: 'An emulated guest.' });

const port = () => wholeNumber(1, 65_535);

const EXPECTED_READY = '{ port }, { http } or { line }';
const readySchema = z.union(
  [
    z.strictObject({
      port: port().meta({ description: 'It accepts a connection there.' }),
      host: text('a host name or address').default('127.0.0.1'),
    }),
    z.strictObject({
      http: z
        .url({ protocol: /^https?$/, error: 'an http or https URL' })
        .meta({ description: 'It answers a GET with a status below 400.' }),
    }),
    z.strictObject({ line: text('text').meta({ description: 'It writes a line with this text in it.' }) }),
  ],
  EXPECTED_READY,
);

const EXPECTED_PUBLISH = 'a port, or { host, guest },';
const publishSchema = z.union(
  [
    port().transform((number) => ({ host: number, guest: number })),
    z.strictObject({
      host: wholeNumber(0, 65_535).default(0).meta({ description: "Of the host's 127.0.0.1; 0: any that is free." }),
      guest: port().meta({ description: "Of the guest's own network." }),
    }),
  ],
  EXPECTED_PUBLISH,
);

const processGuestSchema = z
  .strictObject(
    {
      process: text('a command').meta({
        description: 'A real program: a command for /bin/sh, with all of its descendants.',
      }),
      directory: text('a path').optional().meta({ description: "Its working folder; by default the scenario file's." }),
      env: z
        .record(z.string(), z.union([z.string(), z.number().transform(String)], 'text'), 'an object of text')
        .default({})
        .meta({ description: 'Added to the environment of this process.' }),
      ready: readySchema
        .optional()
        .meta({ description: 'How it is known that it is ready: { port }, { http } or { line }.' }),
      readyTimeout: duration({ isZeroAllowed: false, maxMs: 3_600_000 })
        .default(30_000)
        .meta({ description: 'How long it may take until it is ready.' }),
      freezer: oneOf(FREEZERS)
        .default('auto')
        .meta({ description: 'By what it is frozen; auto takes the first that can be had.' }),
      restart: oneOf(['never', 'on-failure', 'always'])
        .default('never')
        .meta({ description: 'Whether it is started again when it has ended by itself.' }),
      network: oneOf(NETWORKS).default('host').meta({
        description: 'own: a network namespace, in which 169.254.169.254 is its metadata service. It takes root.',
      }),
      publish: z
        .array(publishSchema, 'a list of ports')
        .max(PUBLISHED_MAX, `at most ${PUBLISHED_MAX} ports`)
        .default([])
        .meta({ description: "Ports of its own network that the host's 127.0.0.1 leads to." }),
    },
    'an object',
  )
  .meta({ description: 'A real process as the guest.' });

const vmSchema = z.strictObject(
  {
    name: name().meta({ description: 'Unique. With a count, VMs are named <name>-0, <name>-1, …' }),
    count: wholeNumber(1, VMS_MAX).optional().meta({ description: 'So many VMs like this one.' }),
    set: name().optional().meta({ description: 'The availability set that it belongs to.' }),
    pinned: boolean()
      .default(false)
      .meta({ description: 'No maintenance pauses it: patches that need to are refused.' }),
    guest: z
      .union([emulatedGuestSchema, processGuestSchema], 'a guest: { program: kv-store } or { process: a command }')
      .meta({ description: 'What runs in it.' }),
  },
  'an object with name and guest',
);

const componentSchema = z.strictObject(
  {
    version: versionSchema,
    files: text('a path').optional().meta({ description: 'A folder; by default one file is made.' }),
  },
  'an object with version',
);

const hostSchema = z.strictObject(
  {
    name: name().optional().meta({ description: "Unique; by default 'host-1', 'host-2', …" }),
    components: z
      .record(componentNameSchema, componentSchema, 'an object of components')
      .default({})
      .meta({ description: 'What is installed on it, by name: { agent: { version: 1.0.0 } }.' }),
    trust: z
      .array(text('a path of a public key'), 'a list of paths of public keys')
      .default([])
      .meta({ description: 'Public keys whose bundles are applied, as paths.' }),
  },
  'an object',
);

const domainFields = {
  updateDomains: wholeNumber(1, UPDATE_DOMAINS_MAX).optional(),
  faultDomains: wholeNumber(1, FAULT_DOMAINS_MAX).optional(),
};

const setSchema = z.union(
  [name(), z.strictObject({ name: name(), ...domainFields })],
  'a name, or an object with name',
);

const metadataFields = {
  notice: duration().default(2000).meta({ description: 'From the schedule of an event to its NotBefore. Default 2s.' }),
  settle: duration()
    .default(1000)
    .meta({ description: 'From the end of an impact to the removal of its event. Default 1s.' }),
  enablingDelay: duration().default(0).meta({ description: 'How long the first request of a VM waits for its reply.' }),
  timeScale: z
    .number('a number from 1 to 1000000')
    .min(1, 'a number from 1 to 1000000')
    .max(1e6, 'a number from 1 to 1000000')
    .default(1)
    .meta({ description: 'How much faster than in the cloud time passes: its durations are divided by it.' }),
};

const patchName = name()
  .optional()
  .meta({ description: 'By which faults and maintenances name it; default: of its file.' });
const patchSchema = z.union(
  [
    z.strictObject({
      module: text('a path').meta({ description: 'A patch module, relative to the scenario file.' }),
      name: patchName,
      options: z.json().optional().meta({ description: 'Handed to the module.' }),
    }),
    z.strictObject({ bundle: text('a path').meta({ description: 'A patch bundle (.tar.gz).' }), name: patchName }),
    z.strictObject({
      builtin: oneOf(BUILTIN_PATCHES).meta({ description: 'A patch of the demonstration, with its components.' }),
      name: patchName,
    }),
  ],
  '{ module: path }, { bundle: path } or { builtin: decompress }',
);

/** The keys of a scenario file, each with the schema of its value. */
export const scenarioFields = {
  $schema: z.string('text').optional().meta({ description: 'Where an editor finds this schema.' }),
  name: text('text of 1 to 200 characters', 200)
    .optional()
    .meta({ description: 'What the scenario shows; the title of its reports. Default: the name of its file.' }),
  seed: wholeNumber(0, SEED_MAX).optional().meta({
    description:
      'Decides guests, jitter and faults. Absent: random, and printed; a rerun with it repeats the schedule.',
  }),
  budget: duration({ isZeroAllowed: false })
    .default(30_000)
    .meta({ description: "Longest freeze of a maintenance. Default '30s'." }),
  proof: oneOf(PROOFS).default('deferred').meta({ description: 'How memory is proved.' }),
  duration: duration({ isZeroAllowed: false })
    .optional()
    .meta({ description: 'How long the run lasts once all guests are ready. Default: until the schedule is done.' }),
  hosts: z
    .union(
      [wholeNumber(1, HOSTS_MAX), z.array(hostSchema, 'a list of hosts').min(1).max(HOSTS_MAX)],
      `a number from 1 to ${HOSTS_MAX}, or a list of hosts,`,
    )
    .default(1)
    .meta({ description: 'A number of hosts, or a list of { name, components, trust }. Default 1.' }),
  updateDomains: domainFields.updateDomains.meta({
    description: 'At most one for each host. Default 5, or the number of hosts.',
  }),
  faultDomains: domainFields.faultDomains.meta({
    description: 'At most one for each host. Default 2, or the number of hosts.',
  }),
  sets: z
    .array(setSchema, 'a list of availability sets')
    .default([])
    .meta({ description: 'Availability sets: names, or { name, updateDomains, faultDomains }.' }),
  vms: z
    .array(vmSchema, 'a list of VMs')
    .min(1, 'at least one VM')
    .meta({ description: 'The VMs and what runs in them.' }),
  metadata: z
    .union([boolean(), z.strictObject(metadataFields)], 'true, false or an object')
    .default(false)
    .meta({ description: 'The metadata service with Scheduled Events; absent or false: none.' }),
  patches: z
    .array(patchSchema, 'a list of patches')
    .default([])
    .meta({ description: 'What maintenances and rollouts apply, in this order.' }),
  schedule: z.array(entrySchema, 'a list of entries').default([]).meta({ description: 'What happens when.' }),
  faults: z.array(faultSchema, 'a list of faults').default([]).meta({ description: 'What goes wrong on purpose.' }),
  probes: z
    .array(probeSchema, 'a list of probes')
    .default([])
    .meta({ description: 'What is asked all the time, or at some moments.' }),
  expect: z
    .array(expectationSchema, 'a list of expectations')
    .default([])
    .meta({ description: 'What must hold; each is told with what was observed.' }),
};

/** A scenario file. Its JSON Schema is published as schemas/scenario.schema.json. */
export const scenarioSchema = z
  .strictObject(scenarioFields, "an object with 'vms'")
  .meta({ title: 'A scenario of standstill run', id: 'standstill-scenario' });

/** What a file says, with times in milliseconds and sizes in bytes, before names are looked up. */
export type ScenarioFile = z.output<typeof scenarioSchema>;

/** The JSON Schema of a scenario file. */
export const scenarioJsonSchema = (): unknown => z.toJSONSchema(scenarioSchema, { io: 'input' });
