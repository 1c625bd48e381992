// A fleet with a state folder, whose process dies at the n-th entry of its log. Begins a rollout, or goes on with the one
// that a former process has left: node rollout.mjs <folder> <forward|rollback> <n; 0: never>.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fleet } from '../../../dist/index.js';

const [directory, direction, dieAt] = process.argv.slice(2);
const patch = (line) => ({
  module: fileURLToPath(new URL('../../fixtures/patches/appends.mjs', import.meta.url)),
  options: { line },
});

/** What the patches left in a host's folder last. */
const isApplied = (host) => {
  const path = join(host.directory, 'applied.log');
  return existsSync(path) && readFileSync(path, 'utf8').trimEnd().endsWith('applied');
};

const fleet = await Fleet.create({ hosts: 4, updateDomains: 2, directory });
const began = fleet.log.lastSeq;
fleet.log.subscribe(({ seq }) => {
  if (seq - began === Number(dieAt)) process.kill(process.pid, 'SIGKILL');
});
fleet.createAvailabilitySet({ name: 'web' });
for (let index = 0; index < 4; index += 1) {
  (await fleet.createVm({ program: 'kv-store', memory: '1 MiB', availabilitySet: 'web' })).start();
}
const before = fleet.rolloutReport();
const isPending = before?.status === 'running' || before?.status === 'stopped';
const report =
  before === null
    ? await fleet.rollout({ patches: [patch('applied')], rollbackPatches: [patch('back')] })
    : isPending
      ? await fleet.resumeRollout({ direction, isApplied })
      : before;
await fleet.close();
console.log(report.status, report.problems);
