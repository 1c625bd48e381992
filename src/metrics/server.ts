import Fastify, { type FastifyInstance, LogController } from 'fastify';
import { assertNotPublic, parseEndpoint, urlOf } from '../scheduled-events/addresses.js';
import { listen } from '../scheduled-events/listeners.js';
import type { HostMetrics } from './host-metrics.js';

/** Answers GET /metrics, for a scraper: without a token, as nothing can be changed by it. */
export class MetricsServer implements AsyncDisposable {
  /** Of the metrics, as 'http://127.0.0.1:9464/metrics'. */
  readonly url: string;
  readonly #app: FastifyInstance;

  private constructor(app: FastifyInstance, url: string) {
    this.#app = app;
    this.url = url;
  }

  /** Rejects with ERR_INVALID_OPTION, ERR_ADDRESS_PUBLIC, ERR_LISTEN_FAILED. */
  static async start(
    metrics: HostMetrics,
    options: { readonly listen: string; readonly allowPublic: boolean },
  ): Promise<MetricsServer> {
    const endpoint = parseEndpoint(options.listen, '--metrics');
    if (!options.allowPublic) assertNotPublic(endpoint, 'the metrics', 'can read of the VMs');
    const app: FastifyInstance = Fastify({
      logger: false,
      logController: new LogController({ disableRequestLogging: true }),
      forceCloseConnections: true,
      return503OnClosing: false,
      requestTimeout: 10_000,
    });
    app.get('/metrics', async (_request, reply) => {
      reply.header('content-type', metrics.contentType);
      return await metrics.text();
    });
    try {
      return new MetricsServer(app, `${urlOf({ ...endpoint, port: await listen(app, endpoint) })}/metrics`);
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
