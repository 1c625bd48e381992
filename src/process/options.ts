import { basename } from 'node:path';
import { z } from 'zod';
import { unexpected } from '../base/errors.js';
import { parseOptions } from '../base/options.js';

/** The values of `freezer`. */
export const FREEZERS = ['auto', 'cgroup2', 'cgroup1', 'signal'] as const;
/** By what a process guest is frozen; 'auto' takes the first that can be had. */
export type Freezer = (typeof FREEZERS)[number];

export const NETWORKS = ['host', 'own'] as const;
/** Whose network a process guest is in. */
export type GuestNetwork = (typeof NETWORKS)[number];

/** A port of the guest's own network, and the port of the host's loopback device that leads there. */
export interface PublishedPort {
  readonly host: number;
  readonly guest: number;
}

/** Where a guest in a network of its own finds its metadata service, as in the cloud. */
export const METADATA_ADDRESS = '169.254.169.254';
export const PUBLISHED_MAX = 64;

export const READY_TIMEOUT_MS_DEFAULT = 30_000;
export const GRACE_MS_DEFAULT = 10_000;
const RESTART_LIMIT_DEFAULT = 5;

const EXPECTED_COMMAND = 'the name or path of a program';
const EXPECTED_NAME = 'text of 1 to 64 characters';
const EXPECTED_PORT = 'a port from 1 to 65535';
const EXPECTED_HOST_PORT = 'a port from 0 to 65535';
const EXPECTED_TIMEOUT = 'milliseconds above 0, up to 3600000';
const EXPECTED_GRACE = 'milliseconds from 0 to 600000';
const EXPECTED_LIMIT = 'a whole number from 1 to 1000';
const EXPECTED_PUBLISH = 'an array of ports, or of { host, guest }';
const EXPECTED_READY = '{ port }, { http } or { line }';
// What a C string cannot hold would be cut in silence.
const plainText = (expected: string) => z.string(expected).refine((text) => !text.includes('\0'), expected);

const portSchema = z.number(EXPECTED_PORT).int(EXPECTED_PORT).min(1, EXPECTED_PORT).max(65_535, EXPECTED_PORT);
/** Of the host's loopback device; 0: any that is free. */
const hostPortSchema = z
  .number(EXPECTED_HOST_PORT)
  .int(EXPECTED_HOST_PORT)
  .min(0, EXPECTED_HOST_PORT)
  .max(65_535, EXPECTED_HOST_PORT);

const readySchema = z.union(
  [
    z.strictObject({
      port: portSchema,
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
  network: z.enum(NETWORKS, "'host' or 'own'").default('host'),
  publish: z
    .array(
      z.union(
        [
          portSchema.transform((port) => ({ host: port, guest: port })),
          z.strictObject({ host: hostPortSchema.default(0), guest: portSchema }),
        ],
        EXPECTED_PUBLISH,
      ),
      EXPECTED_PUBLISH,
    )
    .max(PUBLISHED_MAX, `at most ${PUBLISHED_MAX} ports`)
    .default([]),
});

/** How it is known that a guest is ready. */
export type Readiness =
  /**
   * It accepts a connection there; `host` is 127.0.0.1 unless given. In a network of its own: it listens at that port of it.
   */
  | { port: number; host?: string | undefined }
  /** It answers a GET with a status below 400. In a network of its own, at a port that is published. */
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
  /**
   * Start it again when it has ended by itself: never, unless it exited with 0, or always. One that ends in a freeze is
   * started when the freeze is left. Default 'never'.
   */
  restart?: 'never' | 'on-failure' | 'always' | undefined;
  /** How often at most, 1 to 1,000. Default 5. */
  restartLimit?: number | undefined;
  /**
   * 'own': a network namespace with nothing but a loopback device, on which 169.254.169.254 is the guest's metadata service,
   * where its host has one, so that unmodified agents find it. It reaches nothing else; `publish` lets others reach it.
   * Takes root, or a user who may make namespaces: else ERR_NETWORK_UNAVAILABLE. Default 'host': that of this process.
   */
  network?: GuestNetwork | undefined;
  /**
   * Ports of the guest's own network that the host's 127.0.0.1 leads to, 64 at most: 6379, or { host: 16379, guest: 6379 };
   * without `host`, or with 0, any that is free: `vm.publishedPorts` tells. Default: none.
   */
  publish?: readonly (number | { host?: number | undefined; guest: number })[] | undefined;
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
  assertNetwork(parsed);
  return { ...parsed, name: parsed.name ?? fallbackName(basename(parsed.command).slice(0, 48)) };
}

function assertNetwork({ network, publish, ready }: z.output<typeof processVmSchema>): void {
  if (network === 'host' && publish.length > 0) {
    throw unexpected('ERR_INVALID_OPTION', "the network 'own'", "'publish' of a process VM", network);
  }
  if (network === 'host' || ready === undefined || !('http' in ready)) return;
  if (isPublished(ready.http, publish)) return;
  throw unexpected('ERR_INVALID_OPTION', 'a port that is published', "'ready' of a process VM", ready.http);
}

const portOf = ({ port, protocol }: URL): number => (port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port));

/** Whether the host reaches a URL of the guest's own network. */
export const isPublished = (text: string, ports: readonly PublishedPort[]): boolean => {
  const port = portOf(new URL(text));
  return ports.some(({ guest }) => guest === port);
};

/** Where the host reaches a URL of the guest's own network. */
export function urlFromHost(text: string, ports: readonly PublishedPort[]): string {
  const url = new URL(text);
  const published = ports.find(({ guest }) => guest === portOf(url));
  if (published === undefined) return text;
  url.host = `127.0.0.1:${published.host}`;
  return url.href;
}
