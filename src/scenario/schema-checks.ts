import { z } from 'zod';
import { EXPECTED_STEP, parsePlaybook } from '../scheduled-events/faults.js';
import { type Expectation, parseExpectation } from './expectation.js';
import { duration, name, names, share, text } from './fields.js';
import { exactlyOneOf, onlyBeside } from './refinements.js';

const vm = () => name().meta({ description: 'The name of a VM.' });
const host = name().optional().meta({ description: 'On which host. Default: on each.' });
const kind = <Kind extends string>(value: Kind, description: string) =>
  z.literal(value, `'${value}'`).meta({ description });

function isStep(step: string | number): boolean {
  try {
    return parsePlaybook([step], 'a fault').length > 0;
  } catch {
    return false;
  }
}

export const FAULT_KINDS = ['patch-hang', 'patch-fail', 'health-fail', 'metadata', 'late-resume', 'flip-bit'] as const;

export const faultSchema = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({
      kind: kind('patch-hang', 'A patch that never ends: the deadline must resume the VMs.'),
      patch: name().meta({ description: 'The name of a patch.' }),
      host,
    }),
    z.strictObject({
      kind: kind('patch-fail', 'A patch that throws.'),
      patch: name().meta({ description: 'The name of a patch.' }),
      host,
    }),
    z.strictObject({ kind: kind('health-fail', 'A VM that is not well after the resume.'), vm: vm() }),
    z.strictObject({
      kind: kind('metadata', 'Bad replies of the metadata service.'),
      vms: names('a list of names of VMs'),
      steps: z
        .array(z.union([z.string(), z.number()], EXPECTED_STEP).refine(isStep, EXPECTED_STEP), 'a list of steps')
        .min(1, 'at least one step')
        .meta({
          description:
            "What is done to each reply: '500 x2', 'delay 5s', '404', 'truncated', 'malformed', 'reset', 'ok'.",
        }),
    }),
    z.strictObject({
      kind: kind('late-resume', 'The patching takes so much longer; beyond the budget the deadline resumes the VMs.'),
      by: duration({ isZeroAllowed: false }),
      host,
    }),
    z.strictObject({
      kind: kind('flip-bit', "One bit of a frozen VM's RAM, behind the guest's back; the seed chooses it."),
      vm: vm(),
    }),
  ],
  `an object whose kind is one of ${FAULT_KINDS.join(', ')}`,
);

export const TARGETS = ['http', 'tcp', 'command', 'module', 'check'] as const;

export const probeSchema = z
  .strictObject(
    {
      name: name()
        .optional()
        .meta({ description: "By which expectations name it. Default: <target>-<number>, as 'http-1'." }),
      http: z
        .url({ protocol: /^https?$/, error: 'an http or https URL' })
        .optional()
        .meta({ description: 'A GET is answered with a status below 400.' }),
      tcp: z
        .string("text such as '127.0.0.1:6379'")
        .regex(/^.+:\d{1,5}$/, "text such as '127.0.0.1:6379'")
        .optional()
        .meta({ description: "It accepts a connection: 'host:port'." }),
      command: text('a command').optional().meta({ description: 'A shell command that exits with 0.' }),
      module: text('a path')
        .optional()
        .meta({ description: 'A module whose default export neither throws nor answers false.' }),
      check: text('the name of a VM').optional().meta({ description: "The invariants of a VM's guest." }),
      send: text('text').optional().meta({ description: "With 'tcp': what is sent; an answer must follow." }),
      expectText: text('text')
        .optional()
        .meta({ description: "With 'http' and 'tcp': text that a good answer has in it." }),
      options: z.json().optional().meta({ description: "With 'module': handed to it." }),
      every: duration({ isZeroAllowed: false, maxMs: 3_600_000 })
        .default(100)
        .meta({ description: 'From one question to the next. Default 100ms.' }),
      timeout: duration({ isZeroAllowed: false, maxMs: 3_600_000 })
        .default(1000)
        .meta({ description: 'What is slower is no good answer. Default 1s.' }),
      kind: z
        .enum(['continuous', 'start', 'end', 'edge'], 'one of continuous, start, end, edge')
        .default('continuous')
        .meta({ description: 'All the time, once at the start, once at the end, or at both. Default continuous.' }),
      abortBelow: share()
        .optional()
        .meta({ description: "Abort the run where the share of good answers falls below: '50%'." }),
      abortWindow: duration({ isZeroAllowed: false, maxMs: 3_600_000 })
        .optional()
        .meta({ description: "With 'abortBelow': over the last answers of so long. Default: the last ten." }),
    },
    'an object with one of http, tcp, command, module, check',
  )
  .check(
    exactlyOneOf(TARGETS),
    onlyBeside('send', ['tcp']),
    onlyBeside('expectText', ['http', 'tcp']),
    onlyBeside('options', ['module']),
    onlyBeside('abortWindow', ['abortBelow']),
  );

const EXPECTED_EXPECTATION = "text such as 'blackout.p99 < 50ms', or { memory: preserved }";

/** `memory: preserved` is a mapping to YAML: of one key, and a value that may be a number. */
const statementSchema = z.union(
  [z.string(EXPECTED_EXPECTATION), z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))],
  EXPECTED_EXPECTATION,
);

/** An expectation as one text: a mapping's key, ': ' and its value. */
export function statementOf(given: z.output<typeof statementSchema>): string | undefined {
  if (typeof given === 'string') return given;
  const [entry, ...more] = Object.entries(given);
  return entry === undefined || more.length > 0 ? undefined : `${entry[0]}: ${entry[1]}`;
}

export const expectationSchema = statementSchema
  .transform((given, { issues }): Expectation => {
    const statement = statementOf(given);
    if (statement === undefined) {
      issues.push({ code: 'custom', message: EXPECTED_EXPECTATION, input: given });
      return z.NEVER;
    }
    const parsed = parseExpectation(statement);
    if ('expectation' in parsed) return parsed.expectation;
    issues.push({ code: 'custom', message: parsed.mistake.message, input: given, params: { mistake: parsed.mistake } });
    return z.NEVER;
  })
  .meta({
    description:
      "'metric comparison value', as 'blackout.p99 < 50ms', 'availability(api) >= 80%', or 'memory: preserved'. docs/SCENARIOS.md lists the metrics.",
  });
