import { MessageChannel, receiveMessageOnPort, type Worker } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { monotonicNs } from '../base/clock.js';
import { isStandstillError, messageOf, StandstillError } from '../base/errors.js';
import type { TaskResponse } from '../base/task-response.js';
import type { UpdateRequest } from '../components/update-messages.js';
import { watchResidentMemory } from './memory-watch.js';
import { CANCEL, type PatchRequest, progressOf } from './patch-messages.js';
import type { PatchProgress } from './patch-module.js';

export interface TaskControl {
  /** Aborted with a StandstillError as its reason: why the task is to stop. */
  readonly cancel: AbortSignal;
  /** From the cancellation to the termination of the worker. */
  readonly graceMs: number;
  readonly residentBytesMax: number;
  readonly onProgress: (progress: PatchProgress) => void;
}

/** The request as its caller knows it; the port is the task's own. */
export type TaskRequest = WithoutPort<PatchRequest | UpdateRequest>;
type WithoutPort<T> = T extends unknown ? Omit<T, 'port'> : never;

export interface TaskEnd {
  /** By the worker's own stamp where it got done, else when its end was seen; on CLOCK_MONOTONIC. */
  readonly endedAtNs: bigint;
  readonly resultJson: string | undefined;
  readonly error: StandstillError | undefined;
  /** The worker that was terminated for it, and may still be alive. */
  readonly terminated: Worker | undefined;
}

/**
 * Runs one request in the pool's one worker. Cancellation is cooperative first: a message, the grace, then termination,
 * which is not waited for. Never rejects.
 */
export async function runTask(pool: Piscina, request: TaskRequest, control: TaskControl): Promise<TaskEnd> {
  const { port1, port2 } = new MessageChannel();
  const terminate = new AbortController();
  const answer: Promise<TaskResponse> = pool.run(
    { ...request, port: port2 },
    { transferList: [port2], signal: terminate.signal },
  );
  const worker = pool.threads[0];
  const crash = watchForCrash(worker);
  const onMessage = (message: unknown) => {
    const progress = progressOf(message);
    if (progress !== undefined) control.onProgress(progress);
  };
  port1.on('message', onMessage);

  let graceTimer: NodeJS.Timeout | undefined;
  const cancel = () => {
    port1.postMessage(CANCEL);
    graceTimer = setTimeout(() => terminate.abort(control.cancel.reason), control.graceMs);
  };
  if (control.cancel.aborted) cancel();
  else control.cancel.addEventListener('abort', cancel, { once: true });
  using _watch = watchResidentMemory(control.residentBytesMax, (error) => terminate.abort(error));

  try {
    const response = await answer;
    // The answer comes another way, and may overtake what the patch posted before.
    for (let late = receiveMessageOnPort(port1); late !== undefined; late = receiveMessageOnPort(port1)) {
      onMessage(late.message);
    }
    return { ...endOf(response, control.cancel), terminated: undefined };
  } catch (error) {
    const terminated = terminate.signal.aborted ? worker : undefined;
    const loss = lossOf(error, terminate.signal, crash);
    return { endedAtNs: monotonicNs(), resultJson: undefined, error: loss, terminated };
  } finally {
    clearTimeout(graceTimer);
    control.cancel.removeEventListener('abort', cancel);
    port1.close();
  }
}

/** A patch that threw after it was told to stop was cancelled; one that still got done, got done. */
function endOf(response: TaskResponse, cancel: AbortSignal): Omit<TaskEnd, 'terminated'> {
  if (response.ok) return { endedAtNs: response.endedAtNs, resultJson: response.resultJson, error: undefined };
  const code = response.code ?? (response.error === 'invalid' ? 'ERR_PATCH_INVALID' : 'ERR_PATCH_FAILED');
  const error = cancel.aborted ? reasonOf(cancel) : new StandstillError(code, response.message);
  return { endedAtNs: monotonicNs(), resultJson: undefined, error };
}

interface Crash {
  error: unknown;
}

function watchForCrash(worker: Worker | undefined): Crash {
  const crash: Crash = { error: undefined };
  worker?.once('error', (error) => {
    crash.error = error;
  });
  return crash;
}

function lossOf(error: unknown, terminated: AbortSignal, crash: Crash): StandstillError {
  if (terminated.aborted) return reasonOf(terminated);
  const cause = crash.error ?? error;
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new StandstillError('ERR_PATCH_MEMORY', `The patch exceeded its JavaScript heap: ${messageOf(cause)}`);
  }
  return crash.error === undefined
    ? new StandstillError('ERR_PATCH_EXITED', `The patch ended its thread: ${messageOf(cause)}`, { cause })
    : new StandstillError('ERR_PATCH_FAILED', messageOf(cause), { cause });
}

const reasonOf = (signal: AbortSignal): StandstillError =>
  isStandstillError(signal.reason) ? signal.reason : new StandstillError('ERR_ABORTED', messageOf(signal.reason));

/** True once the worker's thread has ended; false where it has not after `withinMs`. Keeps the process alive so long. */
export async function hasEnded(worker: Worker, withinMs: number): Promise<boolean> {
  // A worker whose thread is gone has no id any more.
  if (worker.threadId === -1) return true;
  return new Promise((resolve) => {
    const onExit = () => {
      clearTimeout(timer);
      resolve(true);
    };
    const timer = setTimeout(() => {
      worker.off('exit', onExit);
      resolve(false);
    }, withinMs);
    worker.once('exit', onExit);
  });
}
