import Fastify, { type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController } from 'fastify';
import { EVENTS_PATH, serveEvents } from './event-routes.js';
import type { Guest } from './guest.js';
import { serveInstance } from './instance-routes.js';
import { foreignRefusal, hasMetadataHeader, REFUSALS, type Refusal } from './refusals.js';
import { refuse } from './replies.js';
import type { ServerLimits } from './server-options.js';
import { ADDED, EVENT_API_VERSIONS, versionOf } from './versions.js';

const BODY_BYTES_MAX = 64 * 1024;
/** How often the server looks for requests that take too long. */
const CHECK_INTERVAL_MS = 1000;
/** A connection on which nothing moves for so long is closed; longer than any delay of a reply in the cloud. */
const SILENCE_MS_MAX = 15 * 60_000;

const KNOWN_PATHS = /^\/metadata\/(scheduledevents|instance(\/.*)?|versions)\/?$/i;

/** The HTTP server of one VM, not yet listening. */
export function createGuestServer(guest: Guest, limits: ServerLimits, logger?: FastifyBaseLogger): FastifyInstance {
  const app: FastifyInstance = Fastify({
    ...(logger === undefined ? { logger: false } : { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: limits.requestTimeoutMs,
    connectionTimeout: SILENCE_MS_MAX,
    forceCloseConnections: true,
    return503OnClosing: false,
    exposeHeadRoutes: false,
    http: { connectionsCheckingInterval: CHECK_INTERVAL_MS, headersTimeout: limits.requestTimeoutMs },
    routerOptions: { caseSensitive: false, ignoreTrailingSlash: true },
    frameworkErrors: (_error, request, reply) => {
      logRequest(request, REFUSALS.malformedRequest.status);
      refuse(reply, REFUSALS.malformedRequest);
    },
  });
  app.server.maxConnections = limits.connectionsMax;
  // Without it, a client that closes its side behind its requests gets no answer to those that Node has not come to.
  Object.assign(app.server, { httpAllowHalfOpen: true });

  // A body is JSON whatever it calls itself, and each route looks at it itself.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addHook('onRequest', (request, reply, done) => {
    request.raw.headers['content-type'] = 'application/json';
    const refused = refusalOf(request);
    if (refused === undefined) done();
    else refuse(reply, refused);
  });
  app.addHook('onResponse', (request, reply, done) => {
    logRequest(request, reply.statusCode, reply.elapsedTime);
    done();
  });
  app.setNotFoundHandler((_request, reply) => refuse(reply, REFUSALS.notFound));
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status === 413) return refuse(reply, REFUSALS.tooLarge);
    if (status < 500) return refuse(reply, REFUSALS.malformedRequest);
    request.log.error(error);
    return refuse(reply, REFUSALS.internal);
  });

  serveEvents(app, guest, limits.eventRequestsPerSecond);
  serveInstance(app, guest, limits.instanceRequestsPerSecond);
  return app;
}

/** What is wrong with a request before anybody looks at its body. */
function refusalOf({ headers, is404, url, query }: FastifyRequest): Refusal | undefined {
  const foreign = foreignRefusal(headers);
  if (foreign !== undefined) return foreign;
  const path = (url.split('?', 1)[0] ?? '').toLowerCase();
  if (!hasMetadataHeader(headers) && !isPreview(path, query)) return REFUSALS.noMetadataHeader;
  if (!is404) return undefined;
  if (!KNOWN_PATHS.test(path)) return REFUSALS.notFound;
  return path.startsWith(EVENTS_PATH) ? REFUSALS.wrongEventVerb : REFUSALS.wrongVerb;
}

/** The preview asks for no header. */
function isPreview(path: string, query: unknown): boolean {
  const version = path.startsWith(EVENTS_PATH) ? versionOf(query, EVENT_API_VERSIONS) : undefined;
  return version !== undefined && version < ADDED.plainNames;
}

function logRequest({ log, method, url, ip, headers }: FastifyRequest, status: number, elapsedMs?: number): void {
  log.debug({ method, url, status, remoteAddress: ip, userAgent: headers['user-agent'], elapsedMs }, 'request');
}
