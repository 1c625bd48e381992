import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { startedGuest } from '../../fixtures/guests.js';

const TIMEOUT = { timeout: 60_000 };

/** A Node process with a buffer full of a pattern, whose loop is never idle. */
const BUSY_NODE = [
  '-e',
  "const b = Buffer.alloc(4 << 20, 'standstill-pattern-'); console.log('up'); setInterval(() => { b[0] = 1; }, 1)",
];
const busyNode = () => startedGuest({ command: process.execPath, args: BUSY_NODE, ready: { line: 'up' } });

/** A range of a process's memory that can be written and holds the text. */
function placeOf(pid: number, text: string): number {
  const fd = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0\s*$/.exec(line);
      if (match === null) continue;
      const [start, end] = [Number.parseInt(match[1] ?? '', 16), Number.parseInt(match[2] ?? '', 16)];
      const at = find(fd, start, end, text);
      if (at !== undefined) return at;
    }
  } finally {
    closeSync(fd);
  }
  throw new Error(`no ${text} in process ${pid}`);
}

function find(fd: number, start: number, end: number, text: string): number | undefined {
  const part = Buffer.alloc(Math.min(end - start, 8 << 20));
  try {
    const bytes = readSync(fd, part, 0, part.length, start);
    const at = part.subarray(0, bytes).indexOf(text.repeat(3));
    return at < 0 ? undefined : start + at;
  } catch {
    return undefined;
  }
}

describe('the memory proof', () => {
  it('finds nothing changed in a frozen process, and all that runs changed afterwards', TIMEOUT, async () => {
    await using vm = await busyNode();
    vm.pause();
    const first = await vm.memoryImage();
    const second = await vm.memoryImage();
    expect(first.compare(second)).toBeNull();
    expect(second.info.digest).toBe(first.info.digest);
    expect(first.info.bytesRead).toBeGreaterThan(4 << 20);
    expect(first.info.tasksWithRegisters).toBe(first.info.tasks);
    expect((await vm.digest()).value).toBe(first.info.digest);
    vm.resume();
    await expect
      .poll(async () => {
        vm.pause();
        const later = await vm.memoryImage();
        vm.resume();
        return first.compare(later)?.change;
      })
      .toBeDefined();
  });

  it('control: one byte written by a debugger is found, with its place', TIMEOUT, async () => {
    await using vm = await busyNode();
    const { pid } = vm.stats();
    vm.pause();
    // Looking for it makes pages: a debugger's reading does, a memory image does not.
    const address = placeOf(pid, 'standstill-pattern-') + 40_000;
    const before = await vm.memoryImage();
    const fd = openSync(`/proc/${pid}/mem`, 'r+');
    writeSync(fd, '\0', address);
    closeSync(fd);
    const difference = before.compare(await vm.memoryImage());
    expect(difference).toMatchObject({
      change: 'content',
      pid,
      address: `0x${(address - (address % 4096)).toString(16)}`,
      lengthBytes: 4096,
      pagesChanged: 1,
      possibleWriter: expect.stringContaining('io_uring'),
    });
    vm.resume();
  });

  it('of a guest that runs, or that is thawed meanwhile, is none', TIMEOUT, async () => {
    await using vm = await busyNode();
    await expect(vm.memoryImage()).rejects.toMatchObject({ code: 'ERR_VM_NOT_PAUSED' });
    vm.pause();
    const image = vm.memoryImage();
    vm.resume();
    await expect(image).rejects.toMatchObject({ code: 'ERR_LEASE_REVOKED' });
  });

  it('can be aborted', TIMEOUT, async () => {
    await using vm = await busyNode();
    vm.pause();
    await expect(vm.memoryImage({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  });
});
