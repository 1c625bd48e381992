import { onAbort } from '../base/abort.js';
import type { Counters } from './counters.js';
import type { Picture } from './picture.js';
import type { ReadableLog } from './subject.js';

/** Of the past, a page that connects gets so much. */
const HISTORY_ENTRIES = 20_000;
const BATCH_ENTRIES = 500;

export interface FeedSource {
  readonly log: ReadableLog;
  /** Of this server: another one has another, and its sequence numbers are no continuation. */
  readonly incarnation: string;
  /** What never changes; sent first. */
  readonly hello: object;
  readonly picture: () => Picture;
  readonly counters: Counters;
}

/**
 * What one page is sent, as server-sent events: `hello`, the entries of the past, `picture`, and from then on entries and
 * `sample`s as they come. With the id of the last entry that it had, a page goes on behind that; from another server, or
 * too far back, it begins anew. Nothing is queued for a reader: one that is slow is read to from the log, misses samples,
 * and where it falls behind by more than the history, it is told to begin anew by another `hello`.
 */
export async function* feed(
  { log, incarnation, hello, picture, counters }: FeedSource,
  lastEventId: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  let wake = () => {};
  using _entries = log.subscribe(() => wake());
  using _samples = counters.watch(() => wake());
  using _end = onAbort(signal, () => wake());
  const isTooFarBack = (seq: number) => log.lastSeq - seq > HISTORY_ENTRIES;
  const known = seqOf(lastEventId, incarnation);
  const resumed = known !== undefined && known <= log.lastSeq && !isTooFarBack(known);
  let seq = resumed ? known : Math.max(0, log.lastSeq - HISTORY_ENTRIES);
  let sample = counters.latest;
  let isToldAll = false;
  yield frame('hello', { ...hello, incarnation, resumed });
  while (!signal.aborted) {
    if (isTooFarBack(seq)) {
      seq = log.lastSeq - HISTORY_ENTRIES;
      isToldAll = false;
      yield frame('hello', { ...hello, incarnation, resumed: false });
      continue;
    }
    const entries = log.after(seq, BATCH_ENTRIES);
    const last = entries.at(-1);
    if (last !== undefined) {
      seq = last.seq;
      yield entries.map((entry) => frame('entry', entry, `${incarnation}.${entry.seq}`)).join('');
    } else if (!isToldAll) {
      isToldAll = true;
      yield frame('picture', picture());
    } else if (sample !== counters.latest && counters.latest !== undefined) {
      sample = counters.latest;
      yield frame('sample', sample);
    } else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}

/** The sequence number in the id of an entry of this incarnation. */
function seqOf(lastEventId: string | undefined, incarnation: string): number | undefined {
  const [id, seq] = lastEventId?.split('.') ?? [];
  return id === incarnation && /^\d{1,15}$/.test(seq ?? '') ? Number(seq) : undefined;
}

const frame = (event: string, data: unknown, id?: string): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
