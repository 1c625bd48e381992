/** The EventIds of a POST, whatever its Content-Type says; undefined where the body is not what the contract asks for. */
export function parseStartRequests(body: unknown): string[] | undefined {
  const requests = listOf(parseJson(body));
  if (requests === undefined) return undefined;
  const ids = requests.map((request) => field(request, 'EventId'));
  return ids.every((id) => typeof id === 'string') ? ids : undefined;
}

function parseJson(body: unknown): unknown {
  if (!Buffer.isBuffer(body)) return undefined;
  try {
    // A byte order mark is what some clients put in front.
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}

function listOf(document: unknown): unknown[] | undefined {
  const requests = field(document, 'StartRequests');
  return Array.isArray(requests) ? requests : undefined;
}

const field = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
