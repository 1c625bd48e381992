// What takes longer than CI allows: the soak of 10^6 pause/resume cycles, half an hour of fuzzing, 500 freezes of a
// forking tree with each freezer, the real programs frozen as often as is promised, and 100,000 generated requests to the
// metadata service. Their logs, with the commit, the machine and the result, are committed in test/long/.
//   npm run test:long             all of them
//   npm run test:long -- fuzz     one by name
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import { fuzzing, STAGES } from './test/stages.mjs';
import { root, run } from './test/tools.mjs';

const LIMIT_SECONDS = 4 * 3600;

const soak = [join('build-tests', 'plain', 'standstill_soak'), '--cycles', '1000000'];
const fuzz = fuzzing('snapshot_file', 1800);
/** Of each the commands before it, its own, and which lines of its output are worth keeping. */
const JOBS = [
  {
    name: 'soak',
    before: STAGES.find((stage) => stage.name === 'native').commands.slice(0, 2),
    command: soak,
    keeps: () => true,
  },
  {
    name: 'fuzz',
    before: fuzz.slice(0, -1),
    command: fuzz.at(-1),
    keeps: (line) => !/^#\d+\s+(NEW|REDUCE|pulse|RELOAD)/.test(line),
  },
  {
    name: 'stragglers',
    before: [],
    command: [
      ...['env', 'NO_COLOR=1', 'STANDSTILL_STRAGGLER_FREEZES=500'],
      ...['npx', 'vitest', 'run', 'test/integration/process/freezers.test.ts', '-t', 'straggler'],
    ],
    keeps: () => true,
  },
  {
    name: 'real-programs',
    before: [],
    command: [
      ...['env', 'NO_COLOR=1', 'STANDSTILL_LONG=1'],
      ...['npx', 'vitest', 'run', 'test/integration/process/real-programs.test.ts'],
    ],
    keeps: () => true,
  },
  {
    name: 'requests',
    before: [],
    command: [
      ...['env', 'NO_COLOR=1', 'METADATA_REQUESTS=100000'],
      ...['npx', 'vitest', 'run', 'test/integration/metadata-robustness.test.ts'],
    ],
    keeps: () => true,
  },
];

function logOf(job, { ok, outcome, output }, seconds) {
  const options = { cwd: root, encoding: 'utf8' };
  const commit = spawnSync('git', ['describe', '--always', '--dirty', '--abbrev=12'], options).stdout.trim();
  const command = job.command.map((part) => (part.includes('/') ? basename(part) : part)).join(' ');
  return [
    `date     ${new Date().toISOString()}`,
    `commit   ${commit}`,
    `machine  ${cpus()[0]?.model.trim()}, ${cpus().length} CPUs, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Linux ${release()}`,
    `command  ${command}`,
    `took     ${seconds.toFixed(0)} s`,
    `result   ${ok ? 'passed' : `failed: ${outcome}`}`,
    '',
    output.trimEnd().split('\n').filter(job.keeps).join('\n'),
    '',
  ].join('\n');
}

/** True where it passed. */
async function runJob(job) {
  for (const command of job.before) {
    if (!(await run(command, { seconds: LIMIT_SECONDS })).ok) return false;
  }
  const from = Date.now();
  const result = await run(job.command, { seconds: LIMIT_SECONDS });
  mkdirSync(join(root, 'test', 'long'), { recursive: true });
  writeFileSync(join(root, 'test', 'long', `${job.name}.log`), logOf(job, result, (Date.now() - from) / 1000));
  return result.ok;
}

const names = process.argv.slice(2);
const unknown = names.find((name) => !JOBS.some((job) => job.name === name));
if (unknown !== undefined) {
  console.error(`standstill: Expected ${JOBS.map((job) => job.name).join(' or ')} but received ${unknown}`);
  process.exit(2);
}
const chosen = JOBS.filter((job) => names.length === 0 || names.includes(job.name));
let failed = 0;
for (const job of chosen) failed += (await runJob(job)) ? 0 : 1;
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
