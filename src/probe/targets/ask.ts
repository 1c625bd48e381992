/** How a target is asked: it rejects, or answers false, where it is not well. The signal aborts when nobody waits any more. */
export interface Asker {
  ask(signal: AbortSignal): Promise<unknown>;
  /** Ends what it holds. */
  close(): Promise<void>;
}

/** An asker that holds nothing. */
export const asker = (ask: Asker['ask']): Asker => ({ ask, close: async () => {} });

export function assertHas(answer: string, expected: string | undefined): void {
  if (expected === undefined || answer.includes(expected)) return;
  throw new Error(`expected '${expected}' in the answer but received '${answer.slice(0, SHOWN_CHARACTERS_MAX)}'`);
}

const SHOWN_CHARACTERS_MAX = 80;
