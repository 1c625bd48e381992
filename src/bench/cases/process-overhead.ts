// What being supervised costs a real program while it runs: the same program with and without, by turns.
import { spawn } from 'node:child_process';
import type { BenchCase } from '../case.js';
import { lineOf, startProcess } from '../process-guest.js';
import { shareTarget } from '../ratio.js';

/** Hashing, system calls and writes to a file, for so long; prints how often a second. It times itself, so its start is not in it. */
const WORK = `
  const { createHash } = require('node:crypto');
  const { openSync, writeSync, statSync, unlinkSync } = require('node:fs');
  const path = require('node:path').join(require('node:os').tmpdir(), 'standstill-bench-' + process.pid);
  const [fd, block, ms] = [openSync(path, 'w'), Buffer.alloc(4096), Number(process.argv[1])];
  unlinkSync(path);
  const turn = () => { createHash('sha256').update(block).digest(); writeSync(fd, block, 0, 4096, 0); statSync('/'); };
  for (const until = performance.now() + 50; performance.now() < until; ) turn();
  let turns = 0;
  const from = performance.now();
  for (; performance.now() < from + ms; turns += 1) turn();
  console.log(turns / (performance.now() - from) * 1000);
  setInterval(() => {}, 1e9);`;

export const processOverhead: BenchCase = {
  name: 'process-overhead',
  promise: null,
  summary: 'work a second of a supervised real program; limit: the same without a supervisor',
  seconds: 40,
  async run(context) {
    const { quick, figures, inTurns, addChild } = context;
    const args = ['-e', WORK, quick ? '200' : '1000'];
    const [supervised, bare] = [figures(), figures()];
    await inTurns(quick ? 3 : 20, [
      async ({ warmUp }) => {
        const ready = { line: /^[\d.]+$/ };
        const vm = await startProcess({ command: process.execPath, args, ready }, context);
        if (vm === null) throw new Error('signals need no cgroup, so there is always a freezer');
        if (!warmUp) supervised.record(Number(vm.logTail(1)[0]?.text));
        vm.close();
      },
      async ({ warmUp }) => {
        // In a session of its own, as the guest is: the scheduler may be fair to sessions.
        const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
        addChild(child.pid);
        const perSecond = Number(await lineOf(child.stdout));
        if (!warmUp) bare.record(perSecond);
        child.kill('SIGKILL');
      },
    ]);
    return [
      {
        title: 'process-overhead',
        unit: 'ops/s',
        ours: supervised,
        limit: { name: 'the same program, spawned', series: bare },
        target: shareTarget(0.99, supervised, bare, 'the same program without'),
      },
    ];
  },
};
