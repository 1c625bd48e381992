// Builds what the package brings ready-made into prebuilds/<platform>-<architecture>: the addon, under a name that
// node-gyp-build finds, and the programs beside it. For any CPU of the architecture: flags of the environment, which
// may name one, are left out. Stripped, with libstdc++ inside, so that the C library is all that the engine needs.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const build = join(root, 'build-prebuild');
const prebuilds = join(root, 'prebuilds');
const target = join(prebuilds, `${process.platform}-${process.arch}`);

const FILES = {
  'standstill.node': 'standstill.glibc.node',
  'standstill-supervisor': 'standstill-supervisor',
  standstill_bench_limits: 'standstill_bench_limits',
  standstill_bench_store_cost: 'standstill_bench_store_cost',
};

const { CFLAGS: _c, CXXFLAGS: _cxx, CPPFLAGS: _cpp, LDFLAGS: _ld, ...env } = process.env;
const options = ['--out', build, '--CDSTANDSTILL_PREBUILD=ON', '--CDSTANDSTILL_BUILD_BENCH=ON'];
const { status } = spawnSync(process.execPath, [join(root, 'scripts', 'build-addon.mjs'), ...options], {
  env,
  // npm pack --json prints its result on standard output.
  stdio: ['ignore', 2, 2],
});
if (status !== 0) process.exit(1);
rmSync(prebuilds, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
for (const [built, name] of Object.entries(FILES)) copyFileSync(join(build, 'Release', built), join(target, name));
