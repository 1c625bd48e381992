// Requests of every kind, many at a time: no answer of 500 or above that was not asked for, no crash, no leak; and the
// service goes on. METADATA_REQUESTS of them, 100,000 in npm run test:long; METADATA_SEED repeats a run.
import { connect, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { MetadataServer } from 'standstill';
import { expect, it } from 'vitest';
import { Prng } from '../../src/base/prng.js';
import { documentOf, EVENTS, metadataOf } from '../fixtures/metadata.js';

const REQUESTS = Number(process.env.METADATA_REQUESTS ?? 20_000);
const SEED = BigInt(process.env.METADATA_SEED ?? Date.now());
const CONNECTIONS = 32;
const REQUESTS_PER_CONNECTION_MAX = 40;
/** Memory that the process may gain between the first fifth and the end. */
const GROWTH_BYTES_MAX = 16 * 1024 * 1024;

const METHODS = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'PROPFIND',
  'QUERY',
  'PURGE',
  'get',
  'XYZ',
  'CONNECT',
  '',
];
const PATHS = [
  '/metadata/scheduledevents',
  '/METADATA/ScheduledEvents/',
  '/metadata/instance',
  '/metadata/instance/compute/name',
  '/metadata/instance/compute/__proto__/constructor',
  '/metadata/versions',
  '/metadata/scheduledevents/../../etc/passwd',
  '//metadata//scheduledevents',
  '/%6detadata/scheduledevents',
  '/%zz',
  '/%00',
  '*',
  'http://169.254.169.254/metadata/scheduledevents',
  '/é',
  `/${'a'.repeat(9000)}`,
];
const WELL_FORMED_PATHS = PATHS.slice(0, 9);
const QUERIES = [
  '',
  '?api-version=2020-07-01',
  '?api-version=2017-03-01',
  '?api-version=2021-02-01',
  '?api-version=2020-07-01&api-version=2020-07-01',
  '?api-version[]=x',
  '?__proto__=1',
  '?%',
  '?api-version=2021-02-01&format=text',
  '?&&&==',
  '?api-version=2020-07-01#f',
];
const HEADERS = [
  'Metadata: true',
  'Metadata: TRUE',
  'metadata:true',
  'Metadata: false',
  'X-Forwarded-For: 1.2.3.4',
  'Origin: http://a.example',
  'Sec-Fetch-Site: cross-site',
  'If-None-Match: *',
  'If-None-Match: "a", W/"b"',
  'If-Match: "x"',
  'Content-Type: application/json',
  'Content-Type: multipart/form-data; boundary=',
  'Content-Type: \x01',
  'Content-Encoding: gzip',
  'Accept: */*;q=nan',
  'Accept-Encoding: br, zstd, identity;q=0',
  'Expect: 100-continue',
  'Expect: nothing',
  'Upgrade: websocket\r\nConnection: Upgrade',
  'Connection: close',
  'Connection: keep-alive, \xff',
  'Transfer-Encoding: gzip, chunked',
  'Content-Length: 5\r\nContent-Length: 6',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Host:',
  'No colon here',
  ' leading: space',
  `X-Big: ${'b'.repeat(20_000)}`,
  'X-Null: a\0b',
];
const BODIES = [
  '',
  '{}',
  '{"StartRequests":[]}',
  '{"StartRequests":[{"EventId":"x"}]}',
  '{"StartRequests":[null]}',
  '{"StartRequests":{"length":1}}',
  '{"__proto__":{"StartRequests":[]}}',
  'null',
  '[[[[[[',
  '\xff\xfe\x00',
  '"'.repeat(1000),
  '['.repeat(50_000),
  ' '.repeat(70_000),
  'a=b&c=d',
];

class Generator {
  readonly #prng: Prng;
  constructor(seed: bigint) {
    this.#prng = new Prng(seed);
  }
  below = (bound: number) => this.#prng.nextBelow(bound);
  chance = (share: number) => this.#prng.nextFraction() < share;
  pick = <T>(values: readonly T[]): T => values[this.below(values.length)] as T;

  /** A request that keeps to HTTP, whatever it asks for. */
  wellFormed(): string {
    const method = this.pick(['GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']);
    const path = this.chance(0.7) ? EVENTS : this.pick(WELL_FORMED_PATHS) + this.pick(QUERIES);
    const headers = ['Host: a', ...(this.chance(0.95) ? ['Metadata: true'] : [])];
    if (this.chance(0.1)) headers.push('If-None-Match: *');
    if (this.chance(0.05)) headers.push(this.pick(['Origin: http://a.example', 'X-Forwarded-For: 1.2.3.4']));
    const body = method === 'GET' ? '' : this.pick(BODIES);
    return `${method} ${path} HTTP/1.1\r\n${headers.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  }

  /** Anything. */
  request(): string {
    if (this.chance(0.02)) return this.noise();
    const usual = this.chance(0.6);
    const method = usual ? this.pick(['GET', 'POST']) : this.pick(METHODS);
    const path = usual ? EVENTS : this.pick(PATHS) + this.pick(QUERIES);
    const version = this.chance(0.97) ? 'HTTP/1.1' : this.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9.9', 'HTCPCP/1.0', '']);
    const headers = ['Host: a', ...(usual ? ['Metadata: true'] : [])];
    while (this.chance(usual ? 0.1 : 0.5)) headers.push(this.pick(HEADERS));
    const body = method === 'GET' && this.chance(0.9) ? '' : this.pick(BODIES);
    return `${method} ${path} ${version}\r\n${this.#framed(headers, body)}`;
  }

  #framed(headers: string[], body: string): string {
    if (body === '') return `${headers.join('\r\n')}\r\n\r\n`;
    if (this.chance(0.3)) {
      const size = this.chance(0.9)
        ? body.length.toString(16)
        : this.pick(['-1', 'ffffffffffffffffff', 'zz', '5;ext=1', '']);
      return `${headers.join('\r\n')}\r\nTransfer-Encoding: chunked\r\n\r\n${size}\r\n${body}\r\n0\r\n\r\n`;
    }
    const length = this.chance(0.95) ? body.length : this.below(body.length);
    return `${headers.join('\r\n')}\r\nContent-Length: ${length}\r\n\r\n${body}`;
  }

  noise(): string {
    return String.fromCharCode(...Array.from({ length: 1 + this.below(300) }, () => this.below(256)));
  }
}

/** Sends some requests on one connection, in one of the ways of bad clients, and returns the statuses that came back. */
async function converse(port: number, generator: Generator): Promise<{ sent: number; statuses: number[] }> {
  const count = 1 + generator.below(REQUESTS_PER_CONNECTION_MAX);
  const isClean = generator.chance(0.7);
  const requests = Array.from({ length: count }, () => (isClean ? generator.wellFormed() : generator.request()));
  const manner = generator.pick(['pipeline', 'pipeline', 'in turn', 'split', 'linger', 'deaf', 'abandon']);
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let received = '';
  socket.setEncoding('latin1');
  socket.on('data', (text: string) => {
    received += text;
  });
  const over = new Promise<void>((resolve) => {
    socket.on('error', () => resolve());
    socket.on('end', () => resolve());
    socket.on('close', () => resolve());
  });
  if (manner === 'deaf') socket.pause();
  await write(socket, requests, manner);
  // What it has written it has written: the server answers, and ends the connection. A deaf client does not wait for it.
  if (manner === 'abandon') socket.resetAndDestroy();
  else if (manner !== 'linger') socket.end();
  const patienceMs = manner === 'deaf' || manner === 'linger' ? 50 : 10_000;
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([
    over,
    new Promise((resolve) => {
      timer = setTimeout(resolve, patienceMs);
    }),
  ]);
  clearTimeout(timer);
  socket.destroy();
  return { sent: count, statuses: [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)) };
}

async function write(socket: Socket, requests: readonly string[], manner: string): Promise<void> {
  const bytes = requests.map((request) => Buffer.from(request, 'latin1'));
  if (manner === 'in turn') {
    for (const part of bytes) {
      if (socket.destroyed) return;
      socket.write(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return;
  }
  const whole = Buffer.concat(bytes);
  if (manner !== 'split') {
    socket.write(whole);
    return;
  }
  for (let at = 0; at < whole.length && !socket.destroyed; at += 7001) {
    socket.write(whole.subarray(at, at + 7001));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** What is alive, buffers too, once the connections that their client left are gone. */
async function aliveBytes(): Promise<number> {
  await expect.poll(openHandles, { timeout: 20_000 }).toBeLessThanOrEqual(4);
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
const openHandles = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;

async function storm(server: MetadataServer, ports: readonly number[], requests: number, seed: bigint) {
  const counts = new Map<number, number>();
  let sent = 0;
  const work = async (index: number) => {
    const generator = new Generator(seed + BigInt(index));
    while (sent < requests) {
      const result = await converse(ports[index % ports.length] as number, generator);
      sent += result.sent;
      for (const status of result.statuses) counts.set(status, (counts.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, index) => work(index)));
  expect(server.state().vms).toHaveLength(ports.length);
  return { sent, counts };
}

it(`${REQUESTS} generated requests, seed ${SEED}`, { timeout: 900_000 }, async () => {
  await using server = await metadataOf(['web-0', 'web-1'], { requestTimeoutMs: 1000, instanceRequestsPerSecond: 0 });
  server.raise({ type: 'Freeze', noticeMs: 3_600_000 });
  const urls = ['web-0', 'web-1'].map((vm) => server.urlOf(vm) as string);
  const ports = urls.map((url) => Number(new URL(url).port));

  const first = await storm(server, ports, REQUESTS / 5, SEED);
  const afterFirstBytes = await aliveBytes();
  const rest = await storm(server, ports, (REQUESTS * 4) / 5, SEED + 1000n);

  for (const [status, count] of [...first.counts, ...rest.counts]) {
    expect(status, `${count} answers of status ${status}`).toBeLessThan(500);
  }
  // The storm is one: many kinds of answers, many of them good.
  expect(rest.counts.get(200)).toBeGreaterThan(rest.sent / 20);
  for (const status of [304, 400, 404, 405, 413]) expect(rest.counts.get(status)).toBeGreaterThan(0);
  expect((await aliveBytes()) - afterFirstBytes).toBeLessThan(GROWTH_BYTES_MAX);
  // The service answers as before.
  for (const url of urls) expect((await documentOf(url)).Events).toMatchObject([{ EventStatus: 'Scheduled' }]);
});
