import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { StandstillError, unexpected } from '../../base/errors.js';
import { EVENT_API_VERSIONS, NEWEST_EVENT_API_VERSION } from '../../scheduled-events/versions.js';
import { EXIT_NOT_OK, EXIT_OK } from '../exit-codes.js';
import { DAY_MS, durationMs } from '../flags.js';
import { closing } from '../help.js';
import { catchInterrupts } from '../interrupt.js';
import type { Leave } from '../leave.js';
import type { OutputFlags } from '../output-flags.js';
import { type Style, terminalOf } from '../terminal.js';
import { causeOf } from './client.js';

interface WatchFlags extends OutputFlags {
  ack?: true;
  once?: true;
  interval: number;
  apiVersion: string;
}

interface WireEvent {
  readonly EventId: string;
  readonly EventStatus: string;
  readonly EventType: string;
  readonly Resources: readonly string[];
  readonly NotBefore: string;
}

interface WireDocument {
  readonly DocumentIncarnation: number;
  readonly Events: readonly WireEvent[];
}

const EVENTS_PATH = '/metadata/scheduledevents';
/** The cloud's first answer may take two minutes. */
const ANSWER_TIMEOUT_MS = 180_000;

/** `standstill events watch`: a small client of a metadata service, ours or the cloud's. */
export const watchCommand = (leave: Leave): Command =>
  new Command('watch')
    .summary('print the events of a metadata service as they change, and acknowledge them')
    .description('Asks a metadata service again and again, and prints each document that differs from the one before.')
    .argument('<url>', 'of the service, such as http://127.0.0.1:8080')
    .option('--ack', 'acknowledge each event that is Scheduled')
    .option('--once', 'print the present document and end')
    .addOption(
      new Option('--interval <time>', 'between two requests')
        .argParser(durationMs('--interval', DAY_MS))
        .default(1000, '1s'),
    )
    .addOption(
      new Option('--api-version <version>', 'which form the documents have')
        .choices(EVENT_API_VERSIONS)
        .default(NEWEST_EVENT_API_VERSION),
    )
    .addHelpText(
      'after',
      closing('0 ended by Ctrl-C or SIGTERM, or --once; 1 no answer to --once; 2 usage.', [
        'standstill events watch http://127.0.0.1:8080',
        'standstill events watch http://127.0.0.1:8080 --ack --json',
      ]),
    )
    .action((url: string, flags: WatchFlags) => watch(url, flags, leave));

async function watch(text: string, flags: WatchFlags, leave: Leave): Promise<void> {
  if (!/^https?:/.test(text) || !URL.canParse(text)) {
    throw unexpected('ERR_INVALID_OPTION', 'a URL such as http://127.0.0.1:8080', 'the service', text);
  }
  const url = new URL(text);
  if (url.pathname === '/') url.pathname = EVENTS_PATH;
  url.searchParams.set('api-version', flags.apiVersion);
  using interrupt = catchInterrupts(() => {});
  const { style } = terminalOf(process.stdout, flags.color);
  // Of the document that was printed, and acknowledged where that was asked for.
  let etag: string | undefined;
  let printed: string | undefined;
  let lastFailure = '';
  while (!interrupt.signal.aborted) {
    try {
      const answer = await read(url, etag, interrupt.signal);
      if (answer !== undefined) {
        const json = JSON.stringify(answer.document);
        if (json !== printed) process.stdout.write(flags.json ? `${json}\n` : render(answer.document, style));
        printed = json;
        if (flags.ack) await acknowledge(url, answer.document, interrupt.signal);
        etag = answer.etag;
      }
      lastFailure = '';
      if (flags.once) return await leave(EXIT_OK, 0);
    } catch (error) {
      if (interrupt.signal.aborted) break;
      const failure = causeOf(error);
      if (failure !== lastFailure)
        process.stderr.write(`${url.origin}: ${failure}${flags.once ? '' : '; asking again'}\n`);
      lastFailure = failure;
      if (flags.once) return await leave(EXIT_NOT_OK, 0);
    }
    await sleep(flags.interval, undefined, { signal: interrupt.signal }).catch(() => {});
  }
  await leave(EXIT_OK, 0);
}

/** The document where it is another than that of the tag. */
async function read(
  url: URL,
  etag: string | undefined,
  signal: AbortSignal,
): Promise<{ document: WireDocument; etag: string | undefined } | undefined> {
  const headers = { Metadata: 'true', ...(etag !== undefined && { 'If-None-Match': etag }) };
  const response = await fetch(url, { headers, signal: inTime(signal) });
  const body = await response.text();
  if (response.status === 304) return undefined;
  if (!response.ok) throw new StandstillError('ERR_CONTROL_REFUSED', `${url} answers ${response.status}: ${body}`);
  return { document: JSON.parse(body), etag: response.headers.get('etag') ?? undefined };
}

async function acknowledge(url: URL, { Events }: WireDocument, signal: AbortSignal): Promise<void> {
  const scheduled = Events.filter(({ EventStatus }) => EventStatus === 'Scheduled');
  if (scheduled.length === 0) return;
  const body = JSON.stringify({ StartRequests: scheduled.map(({ EventId }) => ({ EventId })) });
  const response = await fetch(url, { method: 'POST', headers: { Metadata: 'true' }, body, signal: inTime(signal) });
  if (response.ok) return;
  throw new StandstillError('ERR_CONTROL_REFUSED', `${url} answers ${response.status}: ${await response.text()}`);
}

const inTime = (signal: AbortSignal): AbortSignal => AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);

function render({ DocumentIncarnation, Events }: WireDocument, style: Style): string {
  const head = `${style.dim(new Date().toISOString())}  ${style.bold(`document ${DocumentIncarnation}`)}`;
  if (Events.length === 0) return `${head}  no events\n`;
  const lines = Events.map(
    ({ EventId, EventType, EventStatus, Resources, NotBefore }) =>
      `  ${EventId}  ${EventType} ${EventStatus}: ${Resources.join(', ')}${NotBefore === '' ? '' : `, not before ${NotBefore}`}\n`,
  );
  return `${head}\n${lines.join('')}`;
}
