import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Check } from '../check.js';

const TRIED_MS_MAX = 60_000;
const PROGRAM = '#include <concepts>\ntemplate <std::integral T> T f(T x) { return x; }\nint main() { return f(0); }\n';
const BUILDS =
  'benchmarks measure the limits of the machine, and the native engine can be built where no built one fits';
const NO_BUILDS = 'the native engine cannot be built here, and `standstill bench` leaves out what it compares with';

export const TOOL_CHECKS: readonly Check[] = [
  {
    id: 'network-namespace',
    title: 'network namespaces',
    isRequired: false,
    look: async () => {
      const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
      await run('unshare', ['--net', ...asRoot, 'true']);
      return {
        status: 'ok',
        found: 'one was made',
        consequence: 'clients with 169.254.169.254 hard-coded can be tested (docs/SCHEDULED_EVENTS.md has the recipe)',
        remedy: null,
      };
    },
    whereMissing: {
      consequence: 'clients with 169.254.169.254 hard-coded cannot be served; others take the URL of their VM',
      remedy: 'util-linux and root, or sysctl kernel.unprivileged_userns_clone=1; in a container `--cap-add SYS_ADMIN`',
    },
  },
  {
    id: 'compiler',
    title: 'C++20 compiler',
    isRequired: false,
    look: async () => {
      const compiler = process.env.CXX ?? 'c++';
      await run(compiler, ['-std=c++20', '-x', 'c++', '-o', '/dev/null', '-'], PROGRAM);
      const version = (await run(compiler, ['--version'])).split('\n', 1)[0] ?? '';
      return { status: 'ok', found: version, consequence: BUILDS, remedy: null };
    },
    whereMissing: { consequence: NO_BUILDS, remedy: 'Debian: apt-get install g++' },
  },
  {
    id: 'cmake',
    title: 'cmake and make',
    isRequired: false,
    look: async () => {
      const [cmake, make] = [await run('cmake', ['--version']), await run('make', ['--version'])];
      return {
        status: 'ok',
        found: [cmake, make].map((version) => version.split('\n', 1)[0]).join(', '),
        consequence: BUILDS,
        remedy: null,
      };
    },
    whereMissing: { consequence: NO_BUILDS, remedy: 'Debian: apt-get install cmake make' },
  },
];

/** Its standard output. Rejects where it is not there, takes too long or does not end with 0. */
async function run(command: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(command, args, { stdio: 'pipe' });
  const timer = setTimeout(() => child.kill('SIGKILL'), TRIED_MS_MAX);
  try {
    const exited = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('close', resolve));
    child.stdin.on('error', () => {}).end(input);
    const [out, said, code] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
    if (code === 0) return out;
    throw new Error(`${command} failed: ${said.trim().split('\n', 1)[0] || `exit code ${code}`}`);
  } finally {
    clearTimeout(timer);
  }
}
