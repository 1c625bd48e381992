import { createHash } from 'node:crypto';
import { renderDocument } from './document.js';
import type { ScheduledEvent } from './event.js';
import type { Timing } from './timing.js';
import type { EventApiVersion } from './versions.js';

const INCARNATION_FIRST = 1;
const REQUESTS_KEPT = 20;

/** One request for Scheduled Events, answered or not. */
export interface GuestRequest {
  readonly atMs: number;
  readonly method: string;
  readonly apiVersion: string;
  readonly remoteAddress: string;
  readonly userAgent: string | undefined;
}

export interface RenderedDocument {
  readonly body: string;
  readonly etag: string;
}

/** A strong validator: equal for equal bytes. */
export const etagOf = (body: string): string => `"${createHash('sha1').update(body).digest('base64url')}"`;

/**
 * What one VM's side of the service remembers: how often its document changed, and who asked when. The service is
 * enabled by the first request, and disabled, with the incarnation reset, where none comes for a day.
 */
export class GuestView {
  readonly name: string;
  readonly #timing: Timing;
  readonly #rendered = new Map<EventApiVersion, RenderedDocument>();
  readonly #recent: GuestRequest[] = [];
  #incarnation = INCARNATION_FIRST;
  #requests = 0;
  #enabledAtMs: number | undefined;
  #lastRequestAtMs = 0;

  constructor(name: string, timing: Timing) {
    this.name = name;
    this.#timing = timing;
  }

  get incarnation(): number {
    return this.#incarnation;
  }

  get requests(): number {
    return this.#requests;
  }

  get recentRequests(): readonly GuestRequest[] {
    return [...this.#recent];
  }

  /** When the service was enabled for this VM, in milliseconds since the epoch; undefined: it is not. */
  enabledAtMs(nowMs: number): number | undefined {
    return this.#isForgotten(nowMs) ? undefined : this.#enabledAtMs;
  }

  /** The VM's events are others than before. */
  changed(): void {
    this.#incarnation += 1;
    this.#rendered.clear();
  }

  /** Notes a request. Returns whether it is the one that enables the service, and after a silence of a day. */
  asked(request: GuestRequest): 'first' | 'again' | undefined {
    const isFirst = this.#enabledAtMs === undefined;
    const isAgain = this.#isForgotten(request.atMs);
    if (isAgain) {
      this.#incarnation = INCARNATION_FIRST;
      this.#rendered.clear();
    }
    if (isFirst || isAgain) this.#enabledAtMs = request.atMs + this.#timing.enablingDelayMs;
    this.#requests += 1;
    this.#lastRequestAtMs = request.atMs;
    this.#recent.push(request);
    if (this.#recent.length > REQUESTS_KEPT) this.#recent.shift();
    if (isAgain) return 'again';
    return isFirst ? 'first' : undefined;
  }

  /** How long a reply waits for the service to be enabled. */
  remainingDelayMs(nowMs: number): number {
    return Math.max(0, (this.#enabledAtMs ?? nowMs) - nowMs);
  }

  /** The document in an api-version; rendered once for each change. */
  document(version: EventApiVersion, events: () => readonly ScheduledEvent[]): RenderedDocument {
    const known = this.#rendered.get(version);
    if (known !== undefined) return known;
    const body = renderDocument(this.#incarnation, events(), version);
    const rendered = { body, etag: etagOf(body) };
    this.#rendered.set(version, rendered);
    return rendered;
  }

  #isForgotten(nowMs: number): boolean {
    return this.#enabledAtMs !== undefined && nowMs - this.#lastRequestAtMs >= this.#timing.disableAfterMs;
  }
}
