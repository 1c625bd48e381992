import { type IncomingHttpHeaders, STATUS_CODES } from 'node:http';
import { EVENT_API_VERSIONS, INSTANCE_API_VERSIONS, newestOf } from './versions.js';

/** A reply that refuses: its status and its JSON body. */
export interface Refusal {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const refusal = (status: number, error: string, more: object = {}): Refusal => ({
  status,
  body: JSON.stringify({ error, ...more }),
});

const INVALID_VERSION =
  'Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds';
const invalidVersion = (known: readonly string[]): Refusal =>
  refusal(400, INVALID_VERSION, { 'newest-versions': newestOf(known) });

export const REFUSALS = {
  noMetadataHeader: refusal(400, 'Bad request. Required metadata header not specified'),
  forwarded: refusal(400, 'Bad request. X-Forwarded-For header is not allowed'),
  browser: refusal(400, 'Bad request. Origin and Sec-Fetch-Site headers are not allowed'),
  eventVersion: invalidVersion(EVENT_API_VERSIONS),
  instanceVersion: invalidVersion(INSTANCE_API_VERSIONS),
  format: refusal(400, "Bad request. Required parameter 'format=text' not specified for a leaf"),
  malformedBody: refusal(400, 'Bad request. Expected {"StartRequests":[{"EventId":"..."}]}'),
  unknownEvent: refusal(400, 'Bad request. EventId is unknown'),
  malformedRequest: refusal(400, 'Bad request'),
  notFound: refusal(404, 'Not found'),
  wrongEventVerb: { ...refusal(405, 'Method not allowed'), headers: { allow: 'GET, POST' } },
  wrongVerb: { ...refusal(405, 'Method not allowed'), headers: { allow: 'GET' } },
  tooLarge: refusal(413, 'Request entity too large'),
  tooMany: { ...refusal(429, 'Too many requests'), headers: { 'retry-after': '1' } },
  internal: refusal(500, 'Internal server error'),
} as const satisfies Record<string, Refusal>;

/** What stands for a request that went through somebody else: a proxy, or a page in a browser. */
export function foreignRefusal(headers: IncomingHttpHeaders): Refusal | undefined {
  if (headers['x-forwarded-for'] !== undefined) return REFUSALS.forwarded;
  if (headers.origin !== undefined || headers['sec-fetch-site'] !== undefined) return REFUSALS.browser;
  return undefined;
}

export const hasMetadataHeader = ({ metadata }: IncomingHttpHeaders): boolean =>
  typeof metadata === 'string' && metadata.toLowerCase() === 'true';

/** A status that a playbook asks for, with the words that HTTP has for it. */
export const askedFor = (status: number): Refusal => refusal(status, STATUS_CODES[status] ?? 'Unknown');
