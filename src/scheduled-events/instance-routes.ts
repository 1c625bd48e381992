import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Guest } from './guest.js';
import { nodeAt, textOf } from './instance.js';
import { RateLimit } from './rate-limit.js';
import { REFUSALS } from './refusals.js';
import { JSON_TYPE, refuse, sendText, TEXT_TYPE } from './replies.js';
import { allApiVersions, INSTANCE_API_VERSIONS, versionOf } from './versions.js';

const INSTANCE_PATH = '/metadata/instance';
const VERSIONS = JSON.stringify({ apiVersions: allApiVersions() });

/** What a VM says of itself, and the api-versions there are. */
export function serveInstance(app: FastifyInstance, guest: Guest, requestsPerSecond: number): void {
  const limit = new RateLimit(requestsPerSecond);
  const answerInstance = (request: FastifyRequest<{ Params: { '*'?: string } }>, reply: FastifyReply) => {
    if (!limit.admits(performance.now())) return refuse(reply, REFUSALS.tooMany);
    if (versionOf(request.query, INSTANCE_API_VERSIONS) === undefined) return refuse(reply, REFUSALS.instanceVersion);
    const node = nodeAt(guest.instance, request.params['*'] ?? '');
    if (node === undefined) return refuse(reply, REFUSALS.notFound);
    if (formatOf(request.query) === 'text') return sendText(request, reply, textOf(node), TEXT_TYPE);
    if (typeof node === 'string') return refuse(reply, REFUSALS.format);
    return sendText(request, reply, JSON.stringify(node), JSON_TYPE);
  };
  app.get(INSTANCE_PATH, answerInstance);
  app.get(`${INSTANCE_PATH}/*`, answerInstance);
  app.get('/metadata/versions', (request, reply) => {
    if (!limit.admits(performance.now())) return refuse(reply, REFUSALS.tooMany);
    return sendText(request, reply, VERSIONS, JSON_TYPE);
  });
}

const formatOf = (query: unknown): unknown =>
  typeof query === 'object' && query !== null ? Reflect.get(query, 'format') : undefined;
