import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import type { ErrorCode } from '../base/error-codes.js';
import { isStandstillError, StandstillError, unexpected } from '../base/errors.js';
import { isLoopback, parseEndpoint, urlOf } from './addresses.js';
import { listen } from './listeners.js';
import type { MetadataServer } from './metadata-server.js';
import type { RaisedEvent } from './raise.js';
import { foreignRefusal } from './refusals.js';
import { refuse } from './replies.js';

const TOKEN_BYTES = 32;
const TOKEN_CHARACTERS_MIN = 16;
const STATUS_OF: Readonly<Partial<Record<ErrorCode, number>>> = {
  ERR_EVENT_UNKNOWN: 404,
  ERR_EVENT_STARTED: 409,
  ERR_METADATA_CLOSED: 409,
};

export interface ControlOptions {
  /** A loopback address and a port; port 0 is one that is free. Default '127.0.0.1:0'. */
  listen?: string | undefined;
  /** What a request must bring as `Authorization: Bearer …`, 16 characters at least. Default: a random one. */
  token?: string | undefined;
}

/**
 * The control endpoint of a metadata server, for whoever drives it from outside: raise, fail, cancel, faults, state. On
 * loopback only; each request brings the token, and names a loopback address as its host, so that no page in a browser
 * gets through by a name of its own.
 */
export class ControlServer implements AsyncDisposable {
  readonly url: string;
  readonly token: string;
  readonly #app: FastifyInstance;

  private constructor(app: FastifyInstance, url: string, token: string) {
    this.#app = app;
    this.url = url;
    this.token = token;
  }

  /** Rejects with ERR_INVALID_OPTION, ERR_LISTEN_FAILED. */
  static async start(server: MetadataServer, options: ControlOptions = {}): Promise<ControlServer> {
    const endpoint = parseEndpoint(options.listen ?? '127.0.0.1:0', "'listen' of a control endpoint");
    if (!isLoopback(endpoint.address)) {
      throw unexpected('ERR_INVALID_OPTION', 'a loopback address', "'listen' of a control endpoint", endpoint.address);
    }
    const token = options.token ?? randomBytes(TOKEN_BYTES).toString('base64url');
    if (token.length < TOKEN_CHARACTERS_MIN) {
      const message = `Expected ${TOKEN_CHARACTERS_MIN} characters at least for 'token' of a control endpoint but received ${token.length}`;
      throw new StandstillError('ERR_INVALID_OPTION', message);
    }
    const app = createApp(server, token);
    try {
      return new ControlServer(app, urlOf({ ...endpoint, port: await listen(app, endpoint) }), token);
    } catch (error) {
      await app.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#app.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function createApp(server: MetadataServer, token: string): FastifyInstance {
  const app: FastifyInstance = Fastify({
    logger: false,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true,
    return503OnClosing: false,
    requestTimeout: 10_000,
  });
  app.addHook('onRequest', (request, reply, done) => {
    const foreign = foreignRefusal(request.headers);
    if (foreign !== undefined) return void refuse(reply, foreign);
    if (!namesLoopback(request)) return void fail(reply, 403, 'Expected a loopback address for Host');
    if (!bringsToken(request.headers.authorization, token))
      return void fail(reply.header('www-authenticate', 'Bearer'), 401, 'Expected the token');
    done();
  });
  app.setNotFoundHandler((_request, reply) => fail(reply, 404, 'Not found'));
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    if (isStandstillError(error)) return fail(reply, STATUS_OF[error.code] ?? 400, error.message, error.code);
    return fail(reply, error.statusCode ?? 500, error.message);
  });

  app.get('/state', () => server.state());
  app.post('/events', (request, reply) => reply.code(201).send(server.raise(request.body as never).map(idOf)));
  app.post('/failures', (request, reply) =>
    reply.code(201).send(server.failHardware((request.body ?? {}) as never).map(idOf)),
  );
  app.delete<{ Params: { id: string } }>('/events/:id', (request, reply) => {
    server.cancel(request.params.id);
    return reply.code(204).send();
  });
  app.put<{ Params: { vm: string } }>('/vms/:vm/faults', (request, reply) => {
    server.playFaults(request.params.vm, request.body as never);
    return reply.code(204).send();
  });
  return app;
}

const idOf = ({ id, type, vms }: RaisedEvent) => ({ id, type, vms });

const fail = (reply: FastifyReply, status: number, error: string, code?: ErrorCode): FastifyReply =>
  refuse(reply, { status, body: JSON.stringify({ error, code }) });

function namesLoopback({ host, hostname }: FastifyRequest): boolean {
  return hostname === 'localhost' || /^(127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host);
}

/** In a time that does not depend on how much of it is right. */
function bringsToken(authorization: string | undefined, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(authorization ?? ''), digest(`Bearer ${token}`));
}
