import type { FastifyReply, FastifyRequest } from 'fastify';
import { etagOf, type RenderedDocument } from './guest-view.js';
import type { Refusal } from './refusals.js';

export const JSON_TYPE = 'application/json; charset=utf-8';
export const TEXT_TYPE = 'text/plain; charset=utf-8';

export function refuse(reply: FastifyReply, { status, body, headers = {} }: Refusal): FastifyReply {
  return reply
    .code(status)
    .headers({ ...headers, 'content-type': JSON_TYPE })
    .send(body);
}

/** 200 with an ETag, or 304 where the client has it. */
export function sendDocument(
  request: FastifyRequest,
  reply: FastifyReply,
  { body, etag }: RenderedDocument,
  type = JSON_TYPE,
): FastifyReply {
  reply.header('etag', etag);
  if (isKnown(request.headers['if-none-match'], etag)) return reply.code(304).send();
  return reply.header('content-type', type).send(body);
}

export const sendText = (request: FastifyRequest, reply: FastifyReply, body: string, type: string): FastifyReply =>
  sendDocument(request, reply, { body, etag: etagOf(body) }, type);

/** The weak comparison, as GET has it. */
function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  const given = ifNoneMatch?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  return given.includes('*') || given.includes(etag);
}

/** Announces the whole body, sends half of it, and closes the connection. */
export function sendTruncated(reply: FastifyReply, body: string): FastifyReply {
  const bytes = Buffer.from(body);
  reply.hijack();
  reply.raw.writeHead(200, { 'content-type': JSON_TYPE, 'content-length': bytes.length });
  reply.raw.write(bytes.subarray(0, bytes.length / 2), () => reply.raw.destroy());
  return reply;
}

/** A reply that is whole, and no JSON. */
export const sendMalformed = (reply: FastifyReply, body: string): FastifyReply =>
  reply.header('content-type', JSON_TYPE).send(body.slice(0, -1));

/** Resets the connection: the client sees neither reply nor end. */
export function resetConnection(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.hijack();
  request.raw.socket.resetAndDestroy();
  return reply;
}
