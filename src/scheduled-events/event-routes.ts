import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Guest } from './guest.js';
import { RateLimit } from './rate-limit.js';
import { askedFor, REFUSALS } from './refusals.js';
import { refuse, resetConnection, sendDocument, sendMalformed, sendTruncated } from './replies.js';
import { parseStartRequests } from './start-requests.js';
import { EVENT_API_VERSIONS, type EventApiVersion, versionOf } from './versions.js';

export const EVENTS_PATH = '/metadata/scheduledevents';

/** GET reads the VM's events, POST acknowledges some of them. A fault of the VM's playbook takes the place of the reply. */
export function serveEvents(app: FastifyInstance, guest: Guest, requestsPerSecond: number): void {
  const limit = new RateLimit(requestsPerSecond);
  const read: Answer = (request, reply, version) => sendDocument(request, reply, guest.document(version));
  const acknowledge: Answer = (request, reply, version) => {
    const ids = parseStartRequests(request.body);
    if (ids === undefined) return refuse(reply, REFUSALS.malformedBody);
    if (!guest.acknowledge(ids)) return refuse(reply, REFUSALS.unknownEvent);
    return reply.header('etag', guest.document(version).etag).send();
  };
  const answering = (answer: Answer, bodyOf: (version: EventApiVersion) => string) => {
    return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      if (!limit.admits(performance.now())) return refuse(reply, REFUSALS.tooMany);
      const version = versionOf(request.query, EVENT_API_VERSIONS);
      if (version === undefined) return refuse(reply, REFUSALS.eventVersion);
      const fault = guest.faults.take();
      const delayMs = guest.asked(requestOf(request, version)) + (fault.kind === 'delay' ? fault.delayMs : 0);
      if (delayMs > 0) await sleep(delayMs, undefined, { signal: guest.ending }).catch(() => {});
      if (fault.kind === 'reset') return resetConnection(request, reply);
      if (fault.kind === 'status') return refuse(reply, askedFor(fault.status));
      if (fault.kind === 'truncated') return sendTruncated(reply, bodyOf(version));
      if (fault.kind === 'malformed') return sendMalformed(reply, bodyOf(version));
      return answer(request, reply, version);
    };
  };
  app.get(
    EVENTS_PATH,
    answering(read, (version) => guest.document(version).body),
  );
  app.post(
    EVENTS_PATH,
    answering(acknowledge, () => '{}'),
  );
}

type Answer = (request: FastifyRequest, reply: FastifyReply, version: EventApiVersion) => FastifyReply;

const requestOf = ({ method, ip, headers }: FastifyRequest, apiVersion: EventApiVersion) => ({
  method,
  apiVersion,
  remoteAddress: ip,
  userAgent: headers['user-agent'],
});
