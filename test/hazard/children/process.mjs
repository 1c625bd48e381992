// usage: process.mjs <freezer> <file> [budget in ms]: starts a guest that writes a byte to the file now and then, freezes it,
// says so, with its pid and its group, and waits to be killed or stopped.
import { setTimeout as sleep } from 'node:timers/promises';
import { ProcessVm } from 'standstill';

const [freezer, file, budgetMs] = process.argv.slice(2);
const script = `(while :; do printf x >>${file}; sleep 0.01; done) & echo up; wait`;
const vm = await ProcessVm.create({ command: '/bin/sh', args: ['-c', script], freezer, ready: { line: 'up' } });
vm.start();
await vm.ready();
if (budgetMs === undefined) vm.pause();
else vm.freeze({ budgetMs: Number(budgetMs) });
console.log(JSON.stringify({ pid: vm.stats().pid, group: vm.freezer.group }));
await sleep(3_600_000);
