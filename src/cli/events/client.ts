import { StandstillError, unexpected } from '../../base/errors.js';

const TIMEOUT_MS = 30_000;

/** A request to a control endpoint. Rejects with ERR_CONTROL_REFUSED, which ends with the endpoint's own words. */
export async function control(
  flags: { readonly control?: string; readonly token?: string },
  method: string,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const { control: url, token = process.env.STANDSTILL_TOKEN } = flags;
  if (url === undefined || !URL.canParse(url)) {
    throw unexpected('ERR_INVALID_OPTION', 'the URL of a control endpoint', '--control', url);
  }
  if (token === undefined) throw unexpected('ERR_INVALID_OPTION', 'the token', '--token or STANDSTILL_TOKEN', token);
  const response = await fetch(new URL(path, url), {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error: unknown) => {
    throw new StandstillError('ERR_CONTROL_REFUSED', `Expected an answer of ${url} but: ${causeOf(error)}`);
  });
  const text = await response.text();
  const answer: unknown = text === '' ? undefined : jsonOf(text, url);
  if (response.ok) return answer;
  const reason = Reflect.get(Object(answer), 'error') ?? text;
  throw new StandstillError('ERR_CONTROL_REFUSED', `${url} answers ${response.status}: ${reason}`);
}

function jsonOf(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new StandstillError(
      'ERR_CONTROL_REFUSED',
      `Expected the JSON of a control endpoint at ${url} but: ${text.slice(0, 200)}`,
    );
  }
}

/** What a failed fetch is about: "fetch failed" alone says nothing. */
export function causeOf(error: unknown): string {
  const { cause, message } = error instanceof Error ? error : new Error(String(error));
  return cause instanceof Error ? cause.message || String(Reflect.get(cause, 'code')) : message;
}
