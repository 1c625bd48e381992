import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import type { ErrorCode } from '../base/error-codes.js';
import { isStandstillError, StandstillError, unexpected } from '../base/errors.js';
import { type Endpoint, isLoopback, parseEndpoint, urlOf } from './addresses.js';
import { listen } from './listeners.js';
import { refuse } from './replies.js';

const TOKEN_BYTES = 32;
const TOKEN_CHARACTERS_MIN = 16;
/** Of what is not the request's own fault; all else is 400. */
const STATUS_OF: Readonly<Partial<Record<ErrorCode, number>>> = {
  ERR_EVENT_UNKNOWN: 404,
  ERR_EVENT_STARTED: 409,
  ERR_METADATA_CLOSED: 409,
  ERR_BUSY: 409,
  ERR_HOST_CLOSED: 409,
  ERR_MAINTENANCE_ACTIVE: 409,
  ERR_PAUSE_TIMEOUT: 409,
  ERR_ROLLOUT_ACTIVE: 409,
  ERR_ROLLOUT_NOT_FOUND: 409,
  ERR_VM_CLOSED: 409,
  ERR_VM_FAULTED: 409,
  ERR_VM_NOT_STARTED: 409,
};

/** Where an endpoint listens, and what it asks for. */
export interface TokenEndpointOptions {
  /** A loopback address and a port; port 0 is one that is free. Default '127.0.0.1:0'. */
  listen?: string | undefined;
  /** What a request must bring as `Authorization: Bearer …`, 16 characters at least. Default: a random one. */
  token?: string | undefined;
}

export interface TokenEndpoint {
  readonly endpoint: Endpoint;
  readonly token: string;
}

/** Where an endpoint is to listen, on loopback only, and its token. Throws ERR_INVALID_OPTION. */
export function parseTokenEndpoint(options: TokenEndpointOptions, what: string): TokenEndpoint {
  const endpoint = parseEndpoint(options.listen ?? '127.0.0.1:0', `'listen' of ${what}`);
  if (!isLoopback(endpoint.address)) {
    throw unexpected('ERR_INVALID_OPTION', 'a loopback address', `'listen' of ${what}`, endpoint.address);
  }
  const token = options.token ?? randomBytes(TOKEN_BYTES).toString('base64url');
  if (token.length < TOKEN_CHARACTERS_MIN) {
    const message = `Expected ${TOKEN_CHARACTERS_MIN} characters at least for 'token' of ${what} but received ${token.length}`;
    throw new StandstillError('ERR_INVALID_OPTION', message);
  }
  return { endpoint, token };
}

/** A server without routes, whose refusals are JSON: `error`, and `code` where it is one of ours. */
export function createEndpointApp(): FastifyInstance {
  const app: FastifyInstance = Fastify({
    logger: false,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    return503OnClosing: false,
    requestTimeout: 10_000,
  });
  app.setNotFoundHandler((_request, reply) => fail(reply, 404, 'Not found'));
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (isStandstillError(error)) return fail(reply, STATUS_OF[error.code] ?? 400, error.message, error.code);
    return fail(reply, error.statusCode ?? 500, error.message);
  });
  return app;
}

/** Listens, and returns the URL; where that fails, the server is closed. Rejects with ERR_LISTEN_FAILED. */
export async function listenAt(app: FastifyInstance, endpoint: Endpoint): Promise<string> {
  try {
    return urlOf({ ...endpoint, port: await listen(app, endpoint) });
  } catch (error) {
    await app.close();
    throw error;
  }
}

export const fail = (reply: FastifyReply, status: number, error: string, code?: ErrorCode): FastifyReply =>
  refuse(reply, { status, body: JSON.stringify({ error, code }) });

export const failWithoutToken = (reply: FastifyReply): FastifyReply =>
  fail(reply.header('www-authenticate', 'Bearer'), 401, 'Expected the token but received none or another');

export const failForeignHost = (reply: FastifyReply): FastifyReply =>
  fail(reply, 403, 'Expected a loopback address for Host but received another');

/** A page in a browser that has had its own name point here names that. */
export function namesLoopback({ host, hostname }: FastifyRequest): boolean {
  return hostname === 'localhost' || /^(127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host);
}

/** In a time that does not depend on how much of it is right. */
export function bringsToken({ headers }: FastifyRequest, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(headers.authorization ?? ''), digest(`Bearer ${token}`));
}
