import { withinMs } from './deadline.js';
import { messageOf } from './errors.js';

const UNDO_TIMEOUT_MS = 5000;
const LATE = `Expected what was deferred to be undone within ${UNDO_TIMEOUT_MS} ms but it was not`;

/** What takes back something that was done; it may be asynchronous. */
export type Undo = () => unknown;

/**
 * What is to be taken back when a scope is left. Plain `finally` blocks do not run in a callback that hangs; these do. The
 * last one first; each is waited for 5 s at most, and none keeps the others from their turn.
 */
export class UndoStack {
  readonly #undos: Undo[] = [];

  /** Also while they run: what is deferred then is undone too. */
  defer(undo: Undo): void {
    this.#undos.push(undo);
  }

  /** Undoes all; what did not succeed, in the order of the attempts. */
  async run(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let undo = this.#undos.pop(); undo !== undefined; undo = this.#undos.pop()) {
      try {
        await withinMs((async () => await undo())(), UNDO_TIMEOUT_MS, LATE);
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }
}

/** Throws the error that a scope was left with, together with those of its undoing; nothing where there is none. */
export function throwAll(errors: readonly unknown[]): void {
  const [first] = errors;
  if (errors.length === 0) return;
  if (errors.length === 1) throw first;
  throw new AggregateError(errors, errors.map(messageOf).join('; and then: '), { cause: first });
}
