// `standstill bench` of the checkout, for `npm run bench`.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const { status } = spawnSync(process.execPath, [main, 'bench', ...process.argv.slice(2)], { stdio: 'inherit' });
process.exitCode = status ?? 1;
