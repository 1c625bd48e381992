import { spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';

/** What standstill_bench_limits answers, by request; bench/native/limits.cc says what each measures. */
interface LimitsAnswers {
  handshake: { haltNs: number[]; resumeNs: number[] };
  wake: { haltNs: number[]; resumeNs: number[] };
  'handshake-many': { haltNs: number[] };
  sigstop: { haltNs: number[] };
  'sigstop-many': { haltNs: number[] };
  ptrace: { haltNs: number[] };
  'freezer-v2': { haltNs: number[] };
  'freezer-v1': { haltNs: number[] };
  sleep: { lateNs: number[] };
  read: { elapsedNs: number };
  copy: { elapsedNs: number };
  'copy-fresh': { elapsedNs: number };
  'copy-pages': { elapsedNs: number[] };
  map: { elapsedNs: number[] };
  fault: { faultNs: number[] };
  cow: { faultNs: number[] };
  'write-protect': { armNs: number[]; faultNs: number[]; scanNs: number[] };
}

/** What standstill_bench_store_cost answers: picoseconds a step by round, 0 for a round that was disturbed. */
interface StoreCostAnswers {
  cost: Record<'bare' | 'bounds' | 'boundsAndMarks' | 'boundsMarksAndHandOver' | 'engine', number[]> & {
    sound: 0 | 1;
  };
  live: Record<'bare' | 'alone' | 'besideCopy' | 'live' | 'copyNs' | 'pagesCopiedByGuest', number[]> & {
    pages: number;
  };
}

export type LimitsServer = NativeServer<LimitsAnswers>;
export type StoreCostServer = NativeServer<StoreCostAnswers>;

/**
 * A native program that answers a line for a line, so that its rounds alternate with ours. Between two requests it waits
 * for its input and takes no CPU.
 */
export class NativeServer<Answers> {
  readonly #child;
  readonly #lines: ReturnType<Interface[typeof Symbol.asyncIterator]>;
  readonly #closed: Promise<void>;

  constructor(path: string) {
    this.#child = spawn(path, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#closed = new Promise((resolve) => this.#child.once('close', () => resolve()));
    // Of a program that has ended: the end of its answers tells it.
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** One request; rejects where the program ended, or does not do it here. */
  async ask<Name extends keyof Answers & string>(name: Name, ...words: (string | number)[]): Promise<Answers[Name]> {
    const request = [name, ...words].join(' ');
    this.#child.stdin.write(`${request}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`Expected an answer to '${request}' but received the program's end`);
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(`Expected an answer to '${request}' but received: ${answer.error}`);
    return answer;
  }

  async close(): Promise<void> {
    this.#child.stdin.end();
    await this.#closed;
  }
}
