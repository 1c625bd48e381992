import { monotonicNs } from '../base/clock.js';
import { messageOf } from '../base/errors.js';
import type { TaskResponse } from '../base/task-response.js';
import { CANCEL, type PatchRequest } from './patch-messages.js';
import type { PatchModule } from './patch-module.js';

// Standard output belongs to the program that uses the library: `--json` prints exactly one object.
process.stdout.write = process.stderr.write.bind(process.stderr);

/** Runs in the worker thread, called by piscina. A patch's own failure is an answer, so a rejection means a lost worker. */
export default async function handle(request: PatchRequest): Promise<TaskResponse> {
  return request.kind === 'load' ? load(request.url) : run(request);
}

async function load(url: string): Promise<TaskResponse> {
  try {
    const patch = await importPatch(url);
    if (typeof patch === 'function') return done(undefined);
    return invalid(`Expected a function as the default export of ${url} but received ${typeof patch}`);
  } catch (error) {
    return invalid(`Expected ${url} to load but it failed: ${messageOf(error)}`);
  }
}

async function run(request: Extract<PatchRequest, { kind: 'run' }>): Promise<TaskResponse> {
  const { port, hostDirectory } = request;
  const cancel = new AbortController();
  port.on('message', (message) => {
    if (message === CANCEL) cancel.abort();
  });
  try {
    const patch: PatchModule = await importPatch(request.url);
    const result = await patch(request.options, { port, hostDirectory, signal: cancel.signal });
    return done(JSON.stringify(result));
  } catch (error) {
    return { ok: false, error: 'failed', message: messageOf(error) };
  } finally {
    port.close();
  }
}

const importPatch = async (url: string) => (await import(url)).default;

const done = (resultJson: string | undefined): TaskResponse => ({ ok: true, resultJson, endedAtNs: monotonicNs() });

const invalid = (message: string): TaskResponse => ({ ok: false, error: 'invalid', message });
