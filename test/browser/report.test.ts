// The page of a run as somebody opens it from a disk, with no network: at a desk and on a phone, by light and in the dark.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunRecord } from '../../src/report/record.js';
import { renderReport } from '../../src/report/render.js';
import { seriousViolations } from '../fixtures/accessibility.js';
import { launchBrowser, type Seen, withPage } from '../fixtures/browser.js';
import { withTemporaryFolder } from '../fixtures/cli.js';
import { maintainedRun } from '../fixtures/run-record.js';

const HOSTILE = `</script><img src="http://127.0.0.1:1/x" onerror="document.title='taken'">&'`;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
}, 60_000);
afterAll(async () => {
  await browser?.close();
});

async function withReport(
  record: RunRecord,
  use: (page: Page, seen: Seen) => Promise<void>,
  options: BrowserContextOptions = {},
): Promise<void> {
  await withTemporaryFolder(async ({ path: folder }) => {
    const path = join(folder, 'run.html');
    writeFileSync(path, renderReport(record, 'html'));
    await withPage(browser, pathToFileURL(path).href, use, { offline: true, ...options });
  });
}

const shownWidth = (page: Page, title: string) =>
  page.evaluate<number>(
    `[...document.querySelectorAll('#lanes rect')].find((each) => each.textContent.startsWith(${JSON.stringify(title)})).getBoundingClientRect().width`,
  );

describe('the page of a run', () => {
  it.each([
    [1280, 'light'],
    [1280, 'dark'],
    [390, 'light'],
    [390, 'dark'],
  ] as const)(
    'is whole, quiet and accessible at a width of %i, %s',
    { timeout: 120_000 },
    async (width, colorScheme) => {
      await withReport(
        maintainedRun('web', 'host'),
        async (page, { complaints, origins }) => {
          expect(await page.locator('h1').textContent()).toBe('web');
          expect(await page.locator('.result').textContent()).toBe('✗ Failed');
          expect(await page.locator('.plot canvas').count()).toBe(4);
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
          expect(await seriousViolations(page)).toEqual([]);
          expect([...origins]).toEqual(['null']);
          expect(complaints).toEqual([]);
        },
        { viewport: { width, height: 800 }, colorScheme },
      );
    },
  );

  it('is moved through by the keyboard', async () => {
    await withReport(maintainedRun('web', 'host'), async (page) => {
      const whole = await shownWidth(page, 'web: frozen for a maintenance');
      await page.locator('#lanes').focus();
      await page.keyboard.press('n');
      expect(await page.locator('#readout').textContent()).toBe('Freeze 1 of 1: 21 ms.');
      expect(await shownWidth(page, 'web: frozen for a maintenance')).toBeGreaterThan(5 * whole);
      await page.keyboard.press('0');
      expect(await page.locator('#readout').textContent()).toBe('The whole run is shown.');
      expect(await shownWidth(page, 'web: frozen for a maintenance')).toBeCloseTo(whole, 0);
      await page.getByRole('button', { name: 'Zoom in' }).press('Enter');
      expect(await page.locator('#readout').textContent()).toMatch(/^100 ms are shown/);
    });
  });

  it('takes what users have named for text, and asks nobody for what stands in it', async () => {
    await withReport(maintainedRun(HOSTILE, HOSTILE), async (page, { complaints, origins }) => {
      expect(await page.locator('h1').textContent()).toBe(HOSTILE);
      expect(await page.title()).toBe(`failed: ${HOSTILE}`);
      expect(await page.locator('img').count()).toBe(0);
      expect([...origins]).toEqual(['null']);
      expect(complaints).toEqual([]);
    });
  });

  it('runs no script that was put into it: the control of its policy', async () => {
    await withTemporaryFolder(async ({ path: folder }) => {
      const path = join(folder, 'run.html');
      const page = renderReport(maintainedRun('web', 'host'), 'html');
      writeFileSync(path, page.replace('<main', "<script>document.title = 'taken'</script><main"));
      await withPage(browser, pathToFileURL(path).href, async (shown, { complaints }) => {
        expect(await shown.title()).toBe('failed: web');
        expect(complaints.join()).toContain('Content Security Policy');
      });
    });
  });

  it('is JUnit XML that a parser reads, whatever users have named', async () => {
    const xml = renderReport(maintainedRun(`${HOSTILE} ]]> \u0000`, HOSTILE), 'junit');
    await withReport(maintainedRun('web', 'host'), async (page) => {
      const names = await page.evaluate<string[]>(`(() => {
        const parsed = new DOMParser().parseFromString(${JSON.stringify(xml)}, 'application/xml');
        return [...parsed.querySelectorAll('parsererror, testcase')].map((each) => each.getAttribute('name') ?? each.textContent);
      })()`);
      expect(names).toHaveLength(6);
      expect(names).toContain(`${HOSTILE} ]]> \ufffd-2`);
    });
  });
});
