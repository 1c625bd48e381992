// The recipe of docs/SCHEDULED_EVENTS.md, as it stands there.
import { execFile } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { withTemporaryFolder } from '../fixtures/cli.js';

const DOCS = fileURLToPath(new URL('../../docs/SCHEDULED_EVENTS.md', import.meta.url));
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

it('runs a client at 169.254.169.254 in a namespace of its own', { timeout: 120_000 }, async () => {
  const [, recipe] = /<!-- recipe:[\s\S]*?```sh\n([\s\S]*?)```/.exec(readFileSync(DOCS, 'utf8')) ?? [];
  await withTemporaryFolder(async ({ path }) => {
    const command = join(path, 'standstill');
    writeFileSync(command, `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
    chmodSync(command, 0o755);
    const env = { ...process.env, PATH: `${path}:${process.env.PATH}` };
    const { stdout } = await promisify(execFile)('sh', ['-ec', recipe ?? 'exit 1'], { env, timeout: 60_000 });
    expect(stdout).toContain('web-0  http://169.254.169.254\n');
    expect(stdout).toMatch(
      /{"DocumentIncarnation":2,"Events":\[{"EventId":"[^"]+","EventStatus":"Scheduled","EventType":"Freeze"/,
    );
  });
});
