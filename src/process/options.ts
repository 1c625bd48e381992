import { basename } from 'node:path';
import { z } from 'zod';
import { parseOptions } from '../base/options.js';

export const FREEZERS = ['auto', 'cgroup2', 'cgroup1', 'signal'] as const;
/** By what a process guest is frozen; 'auto' takes the first that can be had. */
export type Freezer = (typeof FREEZERS)[number];

export const READY_TIMEOUT_MS_DEFAULT = 30_000;
export const GRACE_MS_DEFAULT = 10_000;
const RESTART_LIMIT_DEFAULT = 5;

const EXPECTED_COMMAND = 'the name or path of a program';
const EXPECTED_NAME = 'text of 1 to 64 characters';
const EXPECTED_PORT = 'a port from 1 to 65535';
const EXPECTED_TIMEOUT = 'milliseconds above 0, up to 3600000';
const EXPECTED_GRACE = 'milliseconds from 0 to 600000';
const EXPECTED_LIMIT = 'a whole number from 1 to 1000';
const EXPECTED_READY = '{ port }, { http } or { line }';
// What a C string cannot hold would be cut in silence.
const plainText = (expected: string) => z.string(expected).refine((text) => !text.includes('\0'), expected);

const readySchema = z.union(
  [
    z.strictObject({
      port: z.number(EXPECTED_PORT).int(EXPECTED_PORT).min(1, EXPECTED_PORT).max(65_535, EXPECTED_PORT),
      host: z.string('a host name or address').min(1).default('127.0.0.1'),
    }),
    z.strictObject({ http: z.url({ protocol: /^https?$/, error: 'an http or https URL' }) }),
    z.strictObject({ line: z.union([z.string().min(1), z.instanceof(RegExp)], 'text or a regular expression') }),
  ],
  EXPECTED_READY,
);

export const graceMsSchema = z.number(EXPECTED_GRACE).min(0, EXPECTED_GRACE).max(600_000, EXPECTED_GRACE);

const processVmSchema = z.strictObject({
  name: z.string(EXPECTED_NAME).min(1, EXPECTED_NAME).max(64, EXPECTED_NAME).optional(),
  command: plainText(EXPECTED_COMMAND).min(1, EXPECTED_COMMAND),
  args: z.array(plainText('text without a zero byte'), 'an array of text').default([]),
  env: z.record(z.string(), plainText('text without a zero byte').optional(), 'an object of text').optional(),
  cwd: plainText('a path').min(1, 'a path').optional(),
  ready: readySchema.optional(),
  readyTimeoutMs: z
    .number(EXPECTED_TIMEOUT)
    .positive(EXPECTED_TIMEOUT)
    .max(3_600_000, EXPECTED_TIMEOUT)
    .default(READY_TIMEOUT_MS_DEFAULT),
  freezer: z.enum(FREEZERS, "'auto', 'cgroup2', 'cgroup1' or 'signal'").default('auto'),
  restart: z.enum(['never', 'on-failure', 'always'], "'never', 'on-failure' or 'always'").default('never'),
  restartLimit: z
    .number(EXPECTED_LIMIT)
    .int(EXPECTED_LIMIT)
    .min(1, EXPECTED_LIMIT)
    .max(1000, EXPECTED_LIMIT)
    .default(RESTART_LIMIT_DEFAULT),
  pinned: z.boolean('true or false').default(false),
});

/** How it is known that a guest is ready. */
export type Readiness =
  /** It accepts a connection there; `host` is 127.0.0.1 unless given. */
  | { port: number; host?: string | undefined }
  /** It answers a GET with a status below 400. */
  | { http: string }
  /** It writes a line with that text in it, or that matches, to standard output or standard error. */
  | { line: string | RegExp };

/** A real program as the guest of a VM. */
export interface ProcessVmOptions {
  /** 1 to 64 characters, unique on its host. Default: the command's last part, on a host with a number. */
  name?: string | undefined;
  /** Looked for in the PATH of `env`, as a shell does; it is no shell. */
  command: string;
  args?: readonly string[] | undefined;
  /** Its whole environment. Default: that of this process. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Its working folder. Default: that of this process. */
  cwd?: string | undefined;
  /** What `vm.ready()` waits for. Default: that it has been started. */
  ready?: Readiness | undefined;
  /** How long `vm.ready()` waits, in milliseconds above 0, up to an hour. Default 30,000. */
  readyTimeoutMs?: number | undefined;
  /**
   * 'cgroup2' and 'cgroup1': a group of its own, frozen by the kernel; 'signal': SIGSTOP over the whole tree, which the
   * guest's own waits may notice. Default 'auto': the first of them that can be had.
   */
  freezer?: Freezer | undefined;
  /** Start it again when it has ended by itself: never, unless it exited with 0, or always. Default 'never'. */
  restart?: 'never' | 'on-failure' | 'always' | undefined;
  /** How often at most, 1 to 1,000. Default 5. */
  restartLimit?: number | undefined;
  /** No maintenance of its host may freeze or restart it: patches that would are refused. Default false. */
  pinned?: boolean | undefined;
}

export type ParsedProcessVmOptions = Omit<z.output<typeof processVmSchema>, 'name'> & {
  readonly name: string;
  /** Of its metadata service, which its environment is told. */
  readonly metadataUrl?: string | undefined;
};

/** By which a guest finds its metadata service. */
export const METADATA_URL_VARIABLE = 'STANDSTILL_METADATA_URL';

/** Apply defaults → validate. `fallbackName` serves where the options name no VM. */
export function parseProcessVmOptions(
  options: ProcessVmOptions,
  fallbackName: (command: string) => string,
): ParsedProcessVmOptions {
  const parsed = parseOptions(processVmSchema, options, 'a process VM');
  return { ...parsed, name: parsed.name ?? fallbackName(basename(parsed.command).slice(0, 48)) };
}
