import type { FastifyInstance } from 'fastify';
import type { MetadataServer } from './metadata-server.js';
import type { RaisedEvent } from './raise.js';
import { foreignRefusal } from './refusals.js';
import { refuse } from './replies.js';
import {
  bringsToken,
  createEndpointApp,
  failForeignHost,
  failWithoutToken,
  listenAt,
  namesLoopback,
  parseTokenEndpoint,
  type TokenEndpointOptions,
} from './token-endpoint.js';

/** Where a control endpoint listens, and what it asks for. */
export interface ControlOptions extends TokenEndpointOptions {}

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
    const { endpoint, token } = parseTokenEndpoint(options, 'a control endpoint');
    const app = createApp(server, token);
    return new ControlServer(app, await listenAt(app, endpoint), token);
  }

  /** Ends the endpoint; the metadata server goes on. */
  async close(): Promise<void> {
    await this.#app.close();
  }

  /** Like `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function createApp(server: MetadataServer, token: string): FastifyInstance {
  const app = createEndpointApp();
  app.addHook('onRequest', (request, reply, done) => {
    const foreign = foreignRefusal(request.headers);
    if (foreign !== undefined) return void refuse(reply, foreign);
    if (!namesLoopback(request)) return void failForeignHost(reply);
    if (!bringsToken(request, token)) return void failWithoutToken(reply);
    done();
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
