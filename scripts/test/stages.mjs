// The table of test stages. Each names its commands and how its counts are read from what they print; a
// `needs` says what must be installed for it, and what to say where it is not.
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandExists, root } from './tools.mjs';

const jobs = String(availableParallelism());
/** Vitest on some of the tests, counted from its own report. */
function vitest(name, ...args) {
  const file = join(tmpdir(), `standstill-vitest-${name}-${process.pid}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  return { commands: [['npx', 'vitest', 'run', ...args, ...reporters]], count: () => countVitest(file) };
}

/** What the stage `bench` writes and `gate` judges. */
const benchResult = join('build-tests', 'bench.json');

/** What a stage counted: tests passed and failed, and the skipped ones by name with their reason. */
const nothing = { passed: 0, failed: 0, skipped: [] };

// What doctest calls skipped are the cases that others run in a child process of their own.
function countDoctest(output) {
  const counts = { ...nothing };
  for (const match of output.matchAll(/\[doctest\] test cases:\s+\d+ \|\s+(\d+) passed \|\s+(\d+) failed/g)) {
    counts.passed += Number(match[1]);
    counts.failed += Number(match[2]);
  }
  return counts;
}

function countClosingLine(output) {
  const match = [...output.matchAll(/^(\d+) passed, (\d+) failed/gm)].at(-1);
  return match ? { ...nothing, passed: Number(match[1]), failed: Number(match[2]) } : nothing;
}

function countVitest(file) {
  if (!existsSync(file)) return nothing;
  const report = JSON.parse(readFileSync(file, 'utf8'));
  const skipped = report.testResults
    .flatMap((file) => file.assertionResults)
    .filter((test) => test.status === 'pending' || test.status === 'skipped' || test.status === 'todo')
    .map((test) => ({ name: test.fullName, reason: test.status }));
  return { passed: report.numPassedTests, failed: report.numFailedTests, skipped };
}

/** A stage without a counting runner: each of its commands is one check. */
const countCommands = (_output, results) => ({
  passed: results.filter((ok) => ok).length,
  failed: results.filter((ok) => !ok).length,
  skipped: [],
});

const doctest = {
  present: () => existsSync('/usr/include/doctest/doctest.h') || existsSync('/usr/local/include/doctest/doctest.h'),
  otherwise: 'doctest is not installed (Debian: apt-get install doctest-dev)',
};
const spin = {
  present: () => commandExists('spin'),
  otherwise: 'spin is not installed (Debian: apt-get install spin)',
};
const clangFormat = {
  present: () => commandExists('clang-format'),
  otherwise: 'clang-format is not installed (Debian: apt-get install clang-format)',
};

const binutils = {
  present: () => commandExists('readelf'),
  otherwise: 'binutils is not installed (Debian: apt-get install binutils)',
};

const clang = {
  present: () => commandExists('clang++'),
  otherwise: 'clang is not installed (Debian: apt-get install clang)',
};

const chromium = {
  present: () => commandExists('chromium'),
  otherwise: 'Chromium is not installed (Debian: apt-get install chromium)',
};

const metadataClients = {
  present: () =>
    existsSync('/usr/lib/ocf/resource.d/heartbeat/azure-events-az') &&
    ['curl', 'ip', 'nsenter', 'unshare'].every(commandExists),
  otherwise:
    'resource-agents, curl or iproute2 is not installed (Debian: apt-get install resource-agents curl iproute2)',
};

/** Configure, build and run the engine's tests; `folder` under build-tests/, ignored by git. */
function engineTests(folder, ...options) {
  const build = join(root, 'build-tests', folder);
  return [
    ['cmake', '-S', root, '-B', build, '-DSTANDSTILL_BUILD_TESTS=ON', ...options],
    ['cmake', '--build', build, '--parallel', jobs],
    ['ctest', '--test-dir', build, '--verbose'],
  ];
}

/** Configure and build a fuzzer, read its seeds, and fuzz on for so long. Inputs that it finds stay in build-tests/. */
export function fuzzing(name, seconds) {
  const build = join(root, 'build-tests', 'fuzz');
  const found = join(build, 'found', name);
  const seeds = join(root, 'test', 'fuzz', 'corpus', name);
  const fuzzer = join(build, `standstill_${name}_fuzz`);
  const limits = ['-rss_limit_mb=1024', '-malloc_limit_mb=128', '-timeout=20', `-artifact_prefix=${build}/`];
  return [
    ['cmake', '-S', root, '-B', build, '-DCMAKE_CXX_COMPILER=clang++', '-DSTANDSTILL_BUILD_FUZZERS=ON'],
    ['cmake', '--build', build, '--parallel', jobs, '--target', `standstill_${name}_fuzz`],
    ['cmake', '-E', 'make_directory', found],
    [fuzzer, seeds, '-runs=0', ...limits],
    [fuzzer, found, seeds, '-max_len=65536', `-max_total_time=${seconds}`, '-print_final_stats=1', ...limits],
  ];
}

export const STAGES = [
  {
    name: 'lint',
    always: false,
    needs: clangFormat,
    commands: [
      ['npx', 'biome', 'check', '.'],
      ['npx', 'tsc', '--noEmit'],
      ['node', 'scripts/lint-native.mjs'],
      ['npx', 'typedoc', '--emit', 'none'],
    ],
    count: countCommands,
  },
  { name: 'native', always: true, needs: doctest, commands: engineTests('plain'), count: countDoctest },
  {
    name: 'models',
    always: true,
    needs: spin,
    commands: [['node', 'scripts/check-models.mjs']],
    count: countClosingLine,
  },
  {
    name: 'controls',
    always: true,
    commands: [
      [
        'node',
        'scripts/build-addon.mjs',
        '--out',
        'build-controls',
        '--CDSTANDSTILL_BUILD_TESTS=ON',
        '--target',
        'standstill_controls',
      ],
    ],
    count: countCommands,
  },
  {
    name: 'library',
    always: true,
    ...vitest('library', ...['clients', 'package', 'browser'].flatMap((folder) => ['--exclude', `test/${folder}/**`])),
  },
  { name: 'package', always: false, needs: binutils, ...vitest('package', 'test/package') },
  { name: 'browser', always: false, needs: chromium, ...vitest('browser', 'test/browser') },
  { name: 'clients', always: false, needs: metadataClients, ...vitest('clients', 'test/clients') },
  {
    name: 'address',
    always: false,
    needs: doctest,
    commands: engineTests('address', '-DSTANDSTILL_SANITIZE=address,undefined'),
    count: countDoctest,
  },
  {
    name: 'thread',
    always: false,
    needs: doctest,
    commands: engineTests('thread', '-DSTANDSTILL_SANITIZE=thread'),
    count: countDoctest,
  },
  { name: 'fuzz', always: false, needs: clang, commands: fuzzing('snapshot_file', 30), count: countCommands },
  {
    name: 'soak',
    always: false,
    needs: doctest,
    commands: [[join('build-tests', 'plain', 'standstill_soak'), '--cycles', '100000']],
    count: countCommands,
  },
  {
    name: 'bench',
    always: false,
    commands: [['node', 'bench/main.mjs', '--quick', '--out', benchResult]],
    count: countCommands,
  },
  {
    name: 'gate',
    always: false,
    commands: [['node', 'dist/cli/main.js', 'gate', '--budget', 'bench/budgets.yaml', '--undecided', 'pass']],
    count: countCommands,
  },
];
