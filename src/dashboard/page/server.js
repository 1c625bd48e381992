// What goes between the page and its server: the token, the actions, and the feed.

const TOKEN_KEY = 'standstill.token';
const SILENCE_MS_MAX = 10_000;
const RETRY_MS_MIN = 300;
const RETRY_MS_MAX = 5000;

/**
 * The token, from the address the page was opened with, from where it is taken away at once, or as the tab has kept it.
 */
export function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given !== null) {
    keepToken(given);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem(TOKEN_KEY);
}

export const keepToken = (token) => sessionStorage.setItem(TOKEN_KEY, token);

const authorization = () => ({ authorization: `Bearer ${sessionStorage.getItem(TOKEN_KEY) ?? ''}` });

/** Asks the server to do something; throws with its own words where it does not. */
export async function act(method, path, body) {
  const response = await fetch(`/api${path}`, {
    method,
    headers: { ...authorization(), ...(body !== undefined && { 'content-type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.ok) return;
  const answer = await response.json().catch(() => ({}));
  throw new Error(answer.error ?? `The server answers ${response.status}`);
}

/**
 * Follows the server's events, for ever: it connects again behind the last entry it had, whatever ended the connection.
 * `onEvent(name, data)` gets what comes, `onState` 'live', 'waiting' or 'refused': the token is not the server's, and is
 * not tried again before `retryNow`.
 */
export function follow({ onEvent, onState }) {
  let lastEventId = '';
  let retryMs = RETRY_MS_MIN;
  let wake = () => {};
  const pause = (ms) =>
    new Promise((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const onOpen = () => {
    retryMs = RETRY_MS_MIN;
    onState('live');
  };
  const onMessage = ({ id, event, data }) => {
    if (id !== undefined) lastEventId = id;
    onEvent(event, JSON.parse(data));
  };
  const run = async () => {
    for (;;) {
      const refused = await connect(lastEventId, onOpen, onMessage).catch(() => false);
      if (refused) {
        onState('refused');
        await pause();
      } else {
        onState('waiting');
        await pause(retryMs * (0.75 + Math.random() / 2));
        retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
      }
    }
  };
  void run();
  return { retryNow: () => wake() };
}

/** One connection, until it ends. True where the token was refused. */
async function connect(lastEventId, onOpen, onMessage) {
  const end = new AbortController();
  let silence;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => end.abort(), SILENCE_MS_MAX);
  };
  heard();
  try {
    const headers = { ...authorization(), ...(lastEventId !== '' && { 'last-event-id': lastEventId }) };
    const response = await fetch('/api/feed', { headers, signal: end.signal, cache: 'no-store' });
    if (response.status === 401) return true;
    if (!response.ok || response.body === null) return false;
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return false;
      heard();
      const messages = (rest + value).split('\n\n');
      rest = messages.pop() ?? '';
      for (const message of messages) onMessage(fieldsOf(message));
    }
  } finally {
    clearTimeout(silence);
    end.abort();
  }
}

const fieldsOf = (message) =>
  Object.fromEntries(
    message.split('\n').map((line) => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  );
