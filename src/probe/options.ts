import { z } from 'zod';
import { StandstillError, show } from '../base/errors.js';
import { parseOptions } from '../base/options.js';
import { type Hook, hookSchema } from '../maintenance/health.js';
import { EmulatedVm } from '../vm/emulated-vm.js';
import type { Vm } from '../vm/vm.js';
import type { ProbePhase } from './events.js';

/** The values of `kind`. */
export const PROBE_KINDS = ['start', 'end', 'continuous', 'edge'] as const;

/**
 * When a probe is asked: once before anything begins, once at the end, at a fixed rate all the time, or whenever a
 * disturbance begins and ends.
 */
export type ProbeKind = (typeof PROBE_KINDS)[number];

const EVERY_MS_DEFAULT = 100;
const TIMEOUT_MS_DEFAULT = 1000;
/** Of asks, that are looked at where an `abort` names no time. */
const WINDOW_DEFAULT = 10;
const HOUR_MS = 3_600_000;

const EXPECTED_TARGET =
  "one of { http: 'http://…' }, { tcp: 'host:port' }, { command }, { module }, { check: an emulated VM } and { call: a function }";
const EXPECTED_EVERY = 'milliseconds from 1 to 3600000';
const EXPECTED_TIMEOUT = 'milliseconds above 0, up to 3600000';
const EXPECTED_SHARE = 'a share from 0 to 1';
const EXPECTED_SHARES = 'a share from 0 to 1, or { before, during, after } of such';
const EXPECTED_TCP = "an address such as '127.0.0.1:6379'";
const EXPECTED_COMMAND = "a shell's command line, or an array of a program and its arguments";

const shareSchema = z.number(EXPECTED_SHARE).min(0, EXPECTED_SHARE).max(1, EXPECTED_SHARE);
const text = z.string('text').min(1, 'text');
const durationSchema = z.number(EXPECTED_EVERY).min(1, EXPECTED_EVERY).max(HOUR_MS, EXPECTED_EVERY);

const httpTarget = z.strictObject({
  http: z.url({ protocol: /^https?$/, error: 'an http or https URL' }),
  expectText: text.optional(),
});
const tcpTarget = z.strictObject({
  tcp: z.string(EXPECTED_TCP).regex(/^(\[[\da-f:.]+\]|[^\s:[\]]+):\d{1,5}$/i, EXPECTED_TCP),
  send: text.optional(),
  expectText: text.optional(),
});
const commandTarget = z.strictObject({
  command: z.union([text, z.array(z.string('text')).min(1, EXPECTED_COMMAND)], EXPECTED_COMMAND),
});
const moduleTarget = z.strictObject({
  module: z.union([text, z.instanceof(URL)], 'a path or a file URL of a module'),
  options: z.unknown().optional(),
});
const checkTarget = z.strictObject({
  check: z.custom<EmulatedVm>((value) => value instanceof EmulatedVm, 'an emulated VM'),
});
const callTarget = z.strictObject({ call: hookSchema });

const targetSchema = z.union(
  [httpTarget, tcpTarget, commandTarget, moduleTarget, checkTarget, callTarget],
  EXPECTED_TARGET,
);

const specSchema = z.strictObject({
  name: text,
  target: targetSchema,
  kind: z.enum(PROBE_KINDS, "'start', 'end', 'continuous' or 'edge'").default('continuous'),
  everyMs: durationSchema.default(EVERY_MS_DEFAULT),
  timeoutMs: z
    .number(EXPECTED_TIMEOUT)
    .positive(EXPECTED_TIMEOUT)
    .max(HOUR_MS, EXPECTED_TIMEOUT)
    .default(TIMEOUT_MS_DEFAULT),
  okShareMin: z
    .union(
      [
        shareSchema,
        z.strictObject({
          before: shareSchema.optional(),
          during: shareSchema.optional(),
          after: shareSchema.optional(),
        }),
      ],
      EXPECTED_SHARES,
    )
    .optional(),
  abort: z.strictObject({ okShareMin: shareSchema, windowMs: durationSchema.optional() }).optional(),
});

const specsSchema = z.array(specSchema, 'an array of probes');

/** GET that URL: well with a status below 400 and, where given, that text in the body. Redirects are not followed. */
export interface HttpTarget {
  http: string;
  expectText?: string | undefined;
}

/**
 * Connect to 'host:port', send the text where given, and wait for the one that is expected: for any answer where something
 * is sent and nothing expected, for the connection alone where neither is given. The kernel accepts connections for a
 * process that stands still, so only an answer tells that it runs: `{ tcp: '127.0.0.1:6379', send: 'PING\r\n', expectText: 'PONG' }`.
 */
export interface TcpTarget {
  tcp: string;
  send?: string | undefined;
  expectText?: string | undefined;
}

/** Run a command line by /bin/sh, or a program with its arguments: well with exit code 0. What is late is killed, its children too. */
export interface CommandTarget {
  command: string | readonly string[];
}

/**
 * Call the default export of a module with its options and `{ signal }`: well where it returns or resolves, but with false.
 * It runs in a worker thread of its own, so that one that computes or hangs delays no other probe and no maintenance.
 */
export interface ModuleTarget {
  /** A path, relative to the working directory, or a file URL. */
  module: string | URL;
  /** Anything that can be cloned to another thread. */
  options?: unknown;
}

/**
 * Walk the invariants of an emulated VM's guest. It halts the VM for the walk, so it cannot be asked continuously; it is
 * asked where a disturbance ends, waits for other freezes of the VM, and gives way to a maintenance that begins.
 */
export interface CheckTarget {
  check: Vm;
}

/** Call a function on this thread: well where it returns or resolves, but with false. */
export interface CallTarget {
  call: Hook;
}

/** What a probe asks: exactly one of them. */
export type ProbeTarget = HttpTarget | TcpTarget | CommandTarget | ModuleTarget | CheckTarget | CallTarget;

/** A steady-state probe: a question to the service, when it is asked, and how many answers must be well. */
export interface ProbeSpec {
  /** Unique among the probes that are started together. */
  name: string;
  target: ProbeTarget;
  /** Default 'continuous'. */
  kind?: ProbeKind | undefined;
  /** Between two asks of a continuous probe, in milliseconds, 1 to 3,600,000. Default 100. */
  everyMs?: number | undefined;
  /** Longest answer, in milliseconds above 0, up to an hour. Default 1,000. */
  timeoutMs?: number | undefined;
  /**
   * The share of answers that must be well, 0 to 1: of all, or of each phase that is named. Default: 1, but of a
   * continuous probe none, which is then only measured.
   */
  okShareMin?: number | { [Phase in ProbePhase]?: number | undefined } | undefined;
  /**
   * When to give up: where of the asks of the last `windowMs` (of a continuous probe; default ten times `everyMs`) so many
   * have failed that the share can only be below `okShareMin`; of any other kind, by each single answer. Default: never.
   */
  abort?: { okShareMin: number; windowMs?: number | undefined } | undefined;
}

export type ParsedProbe = Readonly<z.output<typeof specSchema>>;
export type ParsedTarget = ParsedProbe['target'];

/** Apply defaults → validate. */
export function parseProbes(specs: readonly ProbeSpec[]): ParsedProbe[] {
  const probes = parseOptions(specsSchema, specs, 'probes');
  const names = new Set<string>();
  for (const { name, target, kind } of probes) {
    if (names.has(name)) throw invalid('a name that no other probe has', `probe ${show(name)}`, show(name));
    names.add(name);
    if ('check' in target && kind === 'continuous') {
      const why = "'start', 'end' or 'edge', as a check halts its VM,";
      throw invalid(why, `'kind' of probe ${show(name)}`, show(kind));
    }
  }
  return probes;
}

/** How many answers are looked at together to judge whether a probe is to abort. */
export const abortWindow = ({ kind, everyMs, abort }: ParsedProbe): number =>
  kind === 'continuous' ? Math.max(1, Math.round((abort?.windowMs ?? WINDOW_DEFAULT * everyMs) / everyMs)) : 1;

/** What is asked, as text. */
export function describeTarget(target: ParsedTarget): string {
  if ('http' in target) return target.http;
  if ('tcp' in target) return `tcp ${target.tcp}`;
  if ('command' in target) return [target.command].flat().join(' ');
  if ('module' in target) return `module ${target.module}`;
  return 'check' in target ? `check of ${target.check.name}` : 'a function';
}

const invalid = (expected: string, what: string, received: string): StandstillError =>
  new StandstillError('ERR_INVALID_OPTION', `Expected ${expected} for ${what} but received ${received}`);
