// Builds the addon with cmake-js, quietly: one line when it works, one clear sentence when something that it
// needs is missing, and the log's end with its place when the compiler refuses.
import { spawnSync } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const extra = process.argv.slice(2);

function fail(sentence) {
  console.error(`standstill: ${sentence}`);
  process.exit(1);
}

function answers(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;
}

if (process.platform !== 'linux')
  fail(`Expected Linux but received ${process.platform}; the engine needs memfd and futex.`);
if (!answers('cmake')) fail('cmake was not found: install cmake 3.22 or newer (Debian: apt-get install cmake).');
const compilers = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
if (!compilers.some(answers)) {
  fail(`no C++20 compiler was found (looked for ${compilers.join(', ')}): install one (Debian: apt-get install g++).`);
}
if (!answers('make') && !answers('ninja')) fail('neither make nor ninja was found (Debian: apt-get install make).');

// Beside the build folder, which cmake-js may remove.
const logPath = join(root, 'build-addon.log');
const log = openSync(logPath, 'w');
const cmakeJs = createRequire(import.meta.url).resolve('cmake-js/bin/cmake-js');
const built = spawnSync(
  process.execPath,
  [cmakeJs, 'compile', '--directory', root, '--parallel', String(availableParallelism()), ...extra],
  { cwd: root, stdio: ['ignore', log, log] },
);
if (built.status !== 0) {
  console.error(readFileSync(logPath, 'utf8').split('\n').slice(-30).join('\n'));
  fail(`the addon did not build; the whole log is in ${logPath}`);
}
console.log('standstill: addon built');
