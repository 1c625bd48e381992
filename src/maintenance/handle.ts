import { StandstillError } from '../base/errors.js';
import type { MaintenanceEvent, MaintenancePhase } from './events.js';
import type { MaintenanceReport } from './report.js';

/** By which the handle of a maintenance follows and ends it. */
export interface MaintenanceControl {
  readonly signal: AbortSignal;
  readonly onEvent: (event: MaintenanceEvent) => void;
}

type Listener = (event: MaintenanceEvent) => void;

interface Waiting {
  readonly phase: MaintenancePhase;
  readonly resolve: () => void;
  readonly reject: (error: StandstillError) => void;
}

/**
 * A maintenance under way: the promise of its report, and what happens until then. `await` it, or follow it with
 * `subscribe` and `reached`, or end it with `abort`.
 */
export class Maintenance implements Promise<MaintenanceReport> {
  readonly [Symbol.toStringTag] = 'Maintenance';
  readonly #report: Promise<MaintenanceReport>;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<Listener>();
  readonly #phases: MaintenancePhase[] = [];
  #waiting: Waiting[] = [];
  #ended = false;

  /** Begins at once what `perform` does. */
  constructor(perform: (control: MaintenanceControl) => Promise<MaintenanceReport>) {
    this.#report = this.#perform(perform);
  }

  /** The phase that it is in, or was in at its end; null before the first. */
  get phase(): MaintenancePhase | null {
    return this.#phases.at(-1) ?? null;
  }

  /**
   * Resolves when the phase begins; at once where it has begun. The maintenance does not wait for whoever waits for it.
   * Rejects with ERR_PHASE_NOT_REACHED where it ends without it.
   */
  async reached(phase: MaintenancePhase): Promise<void> {
    if (this.#phases.includes(phase)) return;
    if (this.#ended) throw this.#notReached(phase);
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ phase, resolve, reject });
    });
  }

  /**
   * Calls the listener with each event from now on, synchronously, some of it inside the blackout: return quickly. What
   * it throws aborts the maintenance, which then rejects with it. Dispose of the result to stop.
   */
  subscribe(listener: Listener): Disposable {
    const own: Listener = (event) => listener(event);
    this.#listeners.add(own);
    return { [Symbol.dispose]: () => this.#listeners.delete(own) };
  }

  /** Resumes the VMs at once, whatever the phase; it rejects with ERR_ABORTED. Nothing once it has ended. */
  abort(reason?: unknown): void {
    this.#stop.abort(reason);
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise
  then<T = MaintenanceReport, E = never>(
    onFulfilled?: ((report: MaintenanceReport) => T | PromiseLike<T>) | null,
    onRejected?: ((reason: unknown) => E | PromiseLike<E>) | null,
  ): Promise<T | E> {
    return this.#report.then(onFulfilled, onRejected);
  }

  catch<E = never>(onRejected?: ((reason: unknown) => E | PromiseLike<E>) | null): Promise<MaintenanceReport | E> {
    return this.#report.catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<MaintenanceReport> {
    return this.#report.finally(onFinally);
  }

  async #perform(perform: (control: MaintenanceControl) => Promise<MaintenanceReport>): Promise<MaintenanceReport> {
    try {
      return await perform({ signal: this.#stop.signal, onEvent: (event) => this.#note(event) });
    } finally {
      this.#end();
    }
  }

  #note(event: MaintenanceEvent): void {
    if (event.type === 'phase') {
      this.#phases.push(event.phase);
      const reached = this.#waiting.filter(({ phase }) => phase === event.phase);
      this.#waiting = this.#waiting.filter(({ phase }) => phase !== event.phase);
      for (const { resolve } of reached) resolve();
    }
    for (const listener of this.#listeners) listener(event);
  }

  #end(): void {
    this.#ended = true;
    for (const { phase, reject } of this.#waiting) reject(this.#notReached(phase));
    this.#waiting = [];
  }

  #notReached(phase: MaintenancePhase): StandstillError {
    const message = `Expected the maintenance to come to phase '${phase}' but it ended after ${this.phase ?? 'none'}`;
    return new StandstillError('ERR_PHASE_NOT_REACHED', message);
  }
}
