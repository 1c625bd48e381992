import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Fleet } from '../fleet/fleet.js';
import type { Host } from '../host/host.js';
import {
  bringsToken,
  createEndpointApp,
  fail,
  failForeignHost,
  failWithoutToken,
  listenAt,
  namesLoopback,
  parseTokenEndpoint,
} from '../scheduled-events/token-endpoint.js';
import { patchName, serveActions } from './actions.js';
import { serveAssets } from './assets.js';
import { Counters } from './counters.js';
import { type FeedSource, feed } from './feed.js';
import { type DashboardOptions, parseDashboardOptions } from './options.js';
import { pictureOf } from './picture.js';
import { Subject } from './subject.js';

/** Pages that may watch at once. */
const FEEDS_MAX = 16;

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));

/**
 * A page in a browser that shows a host or a fleet live (VMs, freezes, events, rollouts, counters) and drives it: pause
 * and resume a VM, raise an event, begin and cancel a maintenance. On loopback only. The page itself tells nothing; what
 * it asks for brings the token, names a loopback address as its host, and comes from no other page. It keeps the process
 * alive until it is closed, and never closes what it shows: close it before that.
 */
export class DashboardServer implements AsyncDisposable {
  /** Such as 'http://127.0.0.1:4400'. */
  readonly url: string;
  /** What every request below `/api` must bring as `Authorization: Bearer …`. */
  readonly token: string;
  readonly #app: FastifyInstance;
  readonly #feeds: Feeds;

  private constructor(app: FastifyInstance, feeds: Feeds, url: string, token: string) {
    this.#app = app;
    this.#feeds = feeds;
    this.url = url;
    this.token = token;
  }

  /** Rejects with ERR_INVALID_OPTION, ERR_UNKNOWN_OPTION, ERR_LISTEN_FAILED. */
  static async start(shown: Host | Fleet, options: DashboardOptions = {}): Promise<DashboardServer> {
    const { metadata, patches, ...endpointOptions } = parseDashboardOptions(options);
    const { endpoint, token } = parseTokenEndpoint(endpointOptions, 'a dashboard');
    const subject = new Subject(shown);
    const feeds = new Feeds({
      log: subject.log,
      incarnation: randomUUID(),
      hello: {
        version,
        kind: subject.fleet === undefined ? 'host' : 'fleet',
        hosts: subject.fleet?.hostPlaces ?? subject.hosts.map(({ name }) => ({ host: name })),
        canRaiseEvents: metadata !== undefined,
        patches: patches.map(patchName),
      },
      picture: () => pictureOf(subject, metadata),
      counters: new Counters(subject),
    });
    const app = createEndpointApp();
    app.addHook('onRequest', (request, reply, done) => {
      if (namesLoopback(request)) done();
      else failForeignHost(reply);
    });
    serveAssets(app);
    await app.register(
      async (api) => {
        api.addHook('onRequest', (request, reply, done) => {
          if (!comesFromItsPage(request))
            return void fail(reply, 403, 'Expected a request of the dashboard’s own page but received another');
          if (!bringsToken(request, token)) return void failWithoutToken(reply);
          done();
        });
        api.get('/feed', (request, reply) => feeds.open(request, reply));
        serveActions(api, subject, { metadata, patches });
      },
      { prefix: '/api' },
    );
    return new DashboardServer(app, feeds, await listenAt(app, endpoint), token);
  }

  /** What to open in a browser. A fragment is never sent: the page keeps the token for its tab and takes it off the address. */
  get pageUrl(): string {
    return `${this.url}/#token=${this.token}`;
  }

  /** Ends the connections of all pages. Idempotent. */
  async close(): Promise<void> {
    this.#feeds.end();
    await this.#app.close();
  }

  /** Like `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The connections of the pages that watch. */
class Feeds {
  readonly #source: FeedSource;
  readonly #ends = new Set<AbortController>();

  constructor(source: FeedSource) {
    this.#source = source;
  }

  open(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    if (this.#ends.size >= FEEDS_MAX)
      return fail(reply, 503, `Expected at most ${FEEDS_MAX} pages that watch but there are as many`);
    const end = new AbortController();
    this.#ends.add(end);
    reply.raw.once('close', () => {
      end.abort();
      this.#ends.delete(end);
    });
    const lastEventId = request.headers['last-event-id'];
    const frames = feed(this.#source, typeof lastEventId === 'string' ? lastEventId : undefined, end.signal);
    return reply
      .headers({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' })
      .send(Readable.from(frames, { highWaterMark: 1 }));
  }

  end(): void {
    for (const end of this.#ends) end.abort();
  }
}

/** A browser says where a request comes from; other clients say nothing. */
function comesFromItsPage({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return false;
  if (headers['x-forwarded-for'] !== undefined) return false;
  return headers.origin === undefined || headers.origin === `http://${headers.host}`;
}
