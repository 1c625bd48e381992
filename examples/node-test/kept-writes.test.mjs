// A real program under node:test: a store that is frozen five times and then killed has every write that it acknowledged.
// Run: node --test examples/node-test
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Host } from 'standstill';
import { assertClockLagBelow, assertMemoryPreserved, assertResumedWithin } from 'standstill/testing';

const STORE = fileURLToPath(new URL('./store.mjs', import.meta.url));

test('no acknowledged write is lost', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'store-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'writes');
  const host = await Host.create();
  context.after(() => host.close());
  const store = await host.createProcessVm({
    command: process.execPath,
    args: [STORE, file],
    ready: { line: 'listening at' },
  });
  store.start();
  await store.ready();
  const [{ text }] = store.logTail(1);
  const url = `http://127.0.0.1:${text.match(/\d+$/)[0]}`;

  const acknowledged = [];
  let isWriting = true;
  const writer = (async () => {
    for (let number = 0; isWriting; number += 1) {
      const response = await fetch(`${url}/${number}`);
      if ((await response.text()) === 'kept') acknowledged.push(number);
    }
  })();
  for (let freeze = 0; freeze < 5; freeze += 1) {
    await sleep(100);
    const report = await host.whileFrozen(store, () => sleep(200));
    assertMemoryPreserved(report);
    assertResumedWithin(report, '30s');
    // A process shares the clock of this machine: an assertion on it is refused, it does not pass.
    assert.throws(() => assertClockLagBelow(report, '1s'), { code: 'ERR_NOT_SUPPORTED' });
  }
  isWriting = false;
  await writer;
  store.close(); // by SIGKILL

  const kept = new Set((await readFile(file, 'utf8')).trimEnd().split('\n').map(Number));
  assert.ok(acknowledged.length > 0);
  assert.deepEqual(
    acknowledged.filter((number) => !kept.has(number)),
    [],
  );
});
