// What takes longer than CI allows: the soak of 10^6 pause/resume cycles. Its log, with the commit, the
// machine and the result, is committed as test/long/soak.log.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { STAGES } from './test/stages.mjs';
import { root, run } from './test/tools.mjs';

const LIMIT_SECONDS = 4 * 3600;

const build = STAGES.find((stage) => stage.name === 'native').commands.slice(0, 2);
for (const command of build) {
  if (!(await run(command, { seconds: LIMIT_SECONDS })).ok) process.exit(1);
}
const from = Date.now();
const soak = await run([join('build-tests', 'plain', 'standstill_soak'), '--cycles', '1000000'], {
  seconds: LIMIT_SECONDS,
});
const commit = spawnSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], {
  cwd: root,
  encoding: 'utf8',
}).stdout.trim();
const log = [
  `date     ${new Date().toISOString()}`,
  `commit   ${commit}`,
  `machine  ${cpus()[0]?.model.trim()}, ${cpus().length} CPUs, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}`,
  `command  standstill_soak --cycles 1000000`,
  `took     ${((Date.now() - from) / 1000).toFixed(0)} s`,
  `result   ${soak.ok ? 'passed' : `failed: ${soak.outcome}`}`,
  '',
  soak.output.trimEnd(),
  '',
].join('\n');
mkdirSync(join(root, 'test', 'long'), { recursive: true });
writeFileSync(join(root, 'test', 'long', 'soak.log'), log);
console.log(`${soak.ok ? 1 : 0} passed, ${soak.ok ? 0 : 1} failed`);
process.exitCode = soak.ok ? 0 : 1;
