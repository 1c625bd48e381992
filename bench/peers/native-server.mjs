// A native bench program that answers a line for a line, so that its rounds alternate with ours. Between two
// requests it waits for its input and takes no CPU.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export class NativeServer {
  #child;
  #lines;
  #closed;

  constructor(path) {
    this.#child = spawn(path, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#closed = new Promise((resolve) => this.#child.once('close', resolve));
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  get pid() {
    return this.#child.pid;
  }

  /** One request; rejects where the program ended or did not understand it. */
  async ask(...words) {
    this.#child.stdin.write(`${words.join(' ')}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`Expected an answer to '${words.join(' ')}' but received the program's end`);
    const answer = JSON.parse(value);
    if (answer.error !== undefined)
      throw new Error(`Expected an answer to '${words.join(' ')}' but received: ${answer.error}`);
    return answer;
  }

  async close() {
    this.#child.stdin.end();
    await this.#closed;
  }
}
