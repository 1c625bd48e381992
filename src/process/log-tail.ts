const LINES_MAX = 1000;
const LINE_CHARACTERS_MAX = 4096;
const STREAMS = ['stdout', 'stderr'] as const;

/** A line that a guest has written. */
export interface LogLine {
  readonly stream: (typeof STREAMS)[number];
  readonly text: string;
}

/** The last 1,000 lines that a guest has written, in the order in which they arrived. */
export class LogTail {
  readonly #lines: LogLine[] = [];
  readonly #unfinished = { stdout: '', stderr: '' };
  readonly #listeners = new Set<(line: LogLine) => void>();
  #linesBefore = 0;

  /** The guest is started, again perhaps: what it wrote before is no more of it. */
  begin(): void {
    for (const stream of STREAMS) {
      if (this.#unfinished[stream] !== '') this.#keep({ stream, text: this.#unfinished[stream] });
      this.#unfinished[stream] = '';
    }
    this.#linesBefore = this.#lines.length;
  }

  add(stream: LogLine['stream'], text: string): void {
    const parts = (this.#unfinished[stream] + text).split('\n');
    this.#unfinished[stream] = (parts.pop() ?? '').slice(-LINE_CHARACTERS_MAX);
    for (const part of parts) this.#push({ stream, text: part.slice(0, LINE_CHARACTERS_MAX) });
  }

  /** The last so many lines, the ones that have not been ended among them. */
  last(count: number): LogLine[] {
    return this.#from(0).slice(-count);
  }

  /** All that are kept of those since it was started last. */
  sinceStart(): LogLine[] {
    return this.#from(this.#linesBefore);
  }

  /** Calls `listener` with each line from now on; leaving the scope takes it back. */
  onLine(listener: (line: LogLine) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  #push(line: LogLine): void {
    this.#keep(line);
    for (const listener of this.#listeners) listener(line);
  }

  #keep(line: LogLine): void {
    this.#lines.push(line);
    if (this.#lines.length > LINES_MAX) {
      this.#lines.shift();
      this.#linesBefore = Math.max(0, this.#linesBefore - 1);
    }
  }

  #from(index: number): LogLine[] {
    const unfinished = STREAMS.flatMap((stream) =>
      this.#unfinished[stream] === '' ? [] : [{ stream, text: this.#unfinished[stream] }],
    );
    return [...this.#lines.slice(index), ...unfinished];
  }
}
