const LINES_MAX = 1000;
const LINE_CHARACTERS_MAX = 4096;

export interface LogLine {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
}

/** The last 1,000 lines that a guest has written, in the order in which they arrived. */
export class LogTail {
  readonly #lines: LogLine[] = [];
  readonly #unfinished = { stdout: '', stderr: '' };
  readonly #listeners = new Set<(line: LogLine) => void>();

  add(stream: LogLine['stream'], text: string): void {
    const parts = (this.#unfinished[stream] + text).split('\n');
    this.#unfinished[stream] = (parts.pop() ?? '').slice(-LINE_CHARACTERS_MAX);
    for (const part of parts) this.#push({ stream, text: part.slice(0, LINE_CHARACTERS_MAX) });
  }

  /** The last so many lines, the ones that have not been ended among them. */
  last(count: number): LogLine[] {
    const unfinished = (['stdout', 'stderr'] as const).flatMap((stream) =>
      this.#unfinished[stream] === '' ? [] : [{ stream, text: this.#unfinished[stream] }],
    );
    return [...this.#lines, ...unfinished].slice(-count);
  }

  /** Calls `listener` with each line from now on; leaving the scope takes it back. */
  onLine(listener: (line: LogLine) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  #push(line: LogLine): void {
    this.#lines.push(line);
    if (this.#lines.length > LINES_MAX) this.#lines.shift();
    for (const listener of this.#listeners) listener(line);
  }
}
