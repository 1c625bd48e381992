// The worker thread of src/bench/peers/v86.ts: says when the guest has filled its RAM and stands still, then answers each
// request once v86 has done it.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import type { V86Request, V86Setup } from './v86.js';

const POLL_MS = 5;
const FILL_TIMEOUT_MS = 60_000;

/** What is used of v86's own interface. */
interface Emulator {
  add_listener(event: 'emulator-loaded', listener: () => void): void;
  run(): Promise<void>;
  stop(): Promise<void>;
  read_memory(address: number, bytes: number): Uint8Array;
}
interface V86Module {
  readonly V86: new (options: Readonly<Record<string, unknown>>) => Emulator;
}

const { modulePath, wasmPath, bios, ramBytes, filledAt }: V86Setup = workerData;
const { V86 }: V86Module = await import(pathToFileURL(modulePath).href);
const emulator = new V86({
  wasm_path: wasmPath,
  bios: { buffer: bios },
  memory_size: ramBytes,
  autostart: false,
  disable_speaker: true,
  log_level: 0,
});
await new Promise<void>((resolve) => emulator.add_listener('emulator-loaded', resolve));
await emulator.run();
const untilMs = performance.now() + FILL_TIMEOUT_MS;
while (emulator.read_memory(filledAt, 1)[0] !== 1) {
  if (performance.now() > untilMs) throw new Error('the guest did not fill its RAM within a minute');
  await sleep(POLL_MS);
}
await emulator.stop();

parentPort?.on('message', async (request: V86Request) => {
  await emulator[request]();
  // v86 puts its first slice in the event loop: answered before it, the guest would be stopped before it has begun.
  if (request === 'run') await turn();
  parentPort?.postMessage(request);
});
parentPort?.postMessage('ready');
