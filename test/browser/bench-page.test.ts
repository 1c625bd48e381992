import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';
import { toHtml } from '../../src/bench/formats/html.js';
import { benchResult } from '../fixtures/bench-result.js';
import { launchBrowser, withPage } from '../fixtures/browser.js';
import { withTemporaryFolder } from '../fixtures/cli.js';

it('the page of a benchmark is shown without a network, with its plots', async () => {
  await withTemporaryFolder(async (folder) => {
    const path = join(folder.path, 'bench.html');
    writeFileSync(path, toHtml(benchResult));
    await using browser = await launchBrowser();
    await withPage(
      browser,
      pathToFileURL(path).href,
      async (page, { complaints, origins }) => {
        expect(await page.locator('canvas').count()).toBeGreaterThan(1);
        expect(complaints).toEqual([]);
        expect([...origins]).toEqual(['null']);
      },
      { offline: true },
    );
  });
});
