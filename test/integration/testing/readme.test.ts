// The README's first example, as it is written there: the test fails with the first client and passes with the second.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { expect, it } from 'vitest';
import { withTemporaryFolder } from '../../fixtures/cli.js';

const root = resolve(import.meta.dirname, '../../..');
const SECTION = 'A failing, then passing, resilience test in five minutes';

/** The code blocks of the section that begin with the name of a file, in their order. */
function filesOf(readme: string): { name: string; code: string }[] {
  const section = readme.split(/^## /m).find((part) => part.startsWith(SECTION)) ?? '';
  return [...section.matchAll(/^```js\n(\/\/ (\S+)\n[\s\S]*?)^```$/gm)].map(([, code = '', name = '']) => ({
    name,
    code,
  }));
}

async function vitest(cwd: string): Promise<{ exitCode: unknown; output: string }> {
  // Not as a part of the run of this test.
  const { VITEST: _, ...env } = process.env;
  const child = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run'], {
    ...{ cwd, env, timeout: 120_000, killSignal: 'SIGKILL' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { exitCode, output: stripVTControlCharacters(stdout + stderr) };
}

it('the naive client fails it, the resilient one passes it', { timeout: 240_000 }, async () => {
  await withTemporaryFolder(async ({ path }) => {
    await mkdir(join(path, 'node_modules'));
    symlinkSync(root, join(path, 'node_modules/standstill'));
    symlinkSync(join(root, 'node_modules/vitest'), join(path, 'node_modules/vitest'));
    const write = (file?: { name: string; code: string }) =>
      writeFileSync(join(path, file?.name ?? ''), file?.code ?? '');
    const [server, naive, test, resilient, ...more] = filesOf(readFileSync(join(root, 'README.md'), 'utf8'));
    expect([server, naive, test, resilient].map((file) => file?.name)).toEqual([
      'server.mjs',
      'client.mjs',
      'resilience.test.mjs',
      'client.mjs',
    ]);
    expect(more).toEqual([]);
    for (const file of [server, naive, test]) write(file);
    const failed = await vitest(path);
    expect(failed.output).toMatch(/TimeoutError: The operation was aborted due to timeout\n ❯ hello client.mjs:3:20/);
    expect(failed).toMatchObject({ exitCode: 1, output: expect.stringMatching(/Tests +1 failed/) });
    write(resilient);
    expect(await vitest(path)).toMatchObject({ exitCode: 0, output: expect.stringMatching(/Tests +1 passed/) });
  });
});
