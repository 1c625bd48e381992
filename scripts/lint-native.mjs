// Checks the format of the C++ files with clang-format; `--write` mends it.
import { spawnSync } from 'node:child_process';
import { root } from './test/tools.mjs';

const listed = spawnSync('git', ['ls-files', '-co', '--exclude-standard', '*.cc', '*.h'], {
  cwd: root,
  encoding: 'utf8',
});
const files = listed.stdout.split('\n').filter(Boolean);
const mode = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '-Werror'];
const formatted = spawnSync('clang-format', [...mode, ...files], { cwd: root, stdio: 'inherit' });
if (formatted.error) console.error(`standstill: clang-format did not run: ${formatted.error.message}`);
process.exitCode = formatted.status ?? 1;
