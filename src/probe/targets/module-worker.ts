// The thread of a probe's module.
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../base/errors.js';
import type { ModuleReply, ModuleRequest } from './module-messages.js';

type Probe = (options: unknown, context: { readonly signal: AbortSignal }) => unknown;

const reply = (message: ModuleReply) => parentPort?.postMessage(message);
const underWay = new Map<number, AbortController>();

const probe = await load();
if (probe !== undefined) parentPort?.on('message', (request: ModuleRequest) => void handle(probe, request));

async function load(): Promise<Probe | undefined> {
  try {
    const { default: loaded } = await import(workerData.url);
    const isFunction = typeof loaded === 'function';
    reply({ ask: 0, error: isFunction ? null : `its default export is ${typeof loaded}, not a function` });
    return isFunction ? loaded : undefined;
  } catch (error) {
    reply({ ask: 0, error: `it cannot be loaded: ${messageOf(error)}` });
    return undefined;
  }
}

async function handle(probe: Probe, { ask, cancel }: ModuleRequest): Promise<void> {
  if (cancel) return underWay.get(ask)?.abort();
  const abort = new AbortController();
  underWay.set(ask, abort);
  try {
    const answer = await probe(workerData.options, { signal: abort.signal });
    reply({ ask, error: answer === false ? 'it answered false' : null });
  } catch (error) {
    reply({ ask, error: messageOf(error) });
  } finally {
    underWay.delete(ask);
  }
}
