// The dashboard as somebody at a browser has it: what it shows is so, and what it is told to do is done.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { DashboardServer, Fleet, Host, MetadataServer } from 'standstill';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { seriousViolations } from '../fixtures/accessibility.js';
import { launchBrowser, withPage } from '../fixtures/browser.js';
import { withTemporaryFolder } from '../fixtures/cli.js';
import { patchPath } from '../fixtures/patches.js';

const TIMEOUT = { timeout: 120_000 };
const VM = { program: 'kv-store', memory: '1MiB' };
const TOKEN = 'a token of the test';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
}, 60_000);
afterAll(async () => {
  await browser?.close();
});

/** A host with running VMs and its metadata service; the second one is what is shown of it. */
async function withHost(
  names: readonly string[],
  use: (host: Host, metadata: MetadataServer) => Promise<void>,
): Promise<void> {
  await using metadata = new MetadataServer({ settleMs: 0 });
  await using host = await Host.create({ metadata });
  for (const name of names) (await host.createVm({ ...VM, name })).start();
  await use(host, metadata);
}

const vmNamed = (host: Host, name: string) => {
  const vm = host.vms.find((each) => each.name === name);
  if (vm === undefined) throw new Error(`no ${name}`);
  return vm;
};

/** What leads to a port, and can be cut. */
async function openWire(port: number) {
  const sockets = new Set<Socket>();
  let isCut = false;
  const server = createServer((near) => {
    if (isCut) return void near.destroy();
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}));
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    mend: () => {
      isCut = false;
    },
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const rowOf = (page: Page, name: string) => page.locator('#vms li', { has: page.getByText(name, { exact: true }) });
const stateIn = (page: Page, name: string) => rowOf(page, name).locator('.pill').textContent();
const poll = <T>(value: () => T) => expect.poll(value, { timeout: 60_000 });

// What runs in the page is text: its globals are none of ours.
const FOCUSED = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent";

/** Presses Tab until what has the focus is called so. */
async function tabTo(page: Page, label: string): Promise<void> {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(FOCUSED);
    if (focused === label) return;
  }
  throw new Error(`Tab never reaches '${label}'`);
}

describe('the dashboard of a host', () => {
  it('takes the token off the address, asks nobody else, and has nothing to complain of', TIMEOUT, async () => {
    await withHost(['web-0'], async (host, metadata) => {
      await using dashboard = await DashboardServer.start(host, { metadata });
      await withPage(browser, dashboard.pageUrl, async (page, { complaints, origins }) => {
        await poll(() => stateIn(page, 'web-0')).toBe('running');
        await poll(() => rowOf(page, 'web-0').locator('.counters').textContent()).toMatch(
          /steps\/s · [\d.KM]+ pages\/s/,
        );
        expect(page.url()).toBe(`${dashboard.url}/`);
        expect([...origins]).toEqual([dashboard.url]);
        expect(complaints).toEqual([]);
        await page.reload();
        await poll(() => stateIn(page, 'web-0')).toBe('running');
        // The control: what comes from elsewhere is refused by the browser, and seen here.
        await page.evaluate("document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x.png' }))");
        await poll(() => complaints.join()).toContain('Content Security Policy');
      });
    });
  });

  it('pauses and resumes a VM by the keyboard alone', TIMEOUT, async () => {
    await withHost(['web-0', 'web-1'], async (host) => {
      await using dashboard = await DashboardServer.start(host);
      await withPage(browser, dashboard.pageUrl, async (page) => {
        await poll(() => stateIn(page, 'web-1')).toBe('running');
        await tabTo(page, 'Pause web-1');
        const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle');
        expect(outline).toBe('solid');
        await page.keyboard.press('Enter');
        await poll(() => vmNamed(host, 'web-1').state).toBe('paused');
        expect(vmNamed(host, 'web-0').state).not.toBe('paused');
        await poll(() => stateIn(page, 'web-1')).toBe('paused');
        await poll(() => page.locator('#live').textContent()).toContain('web-1 is paused');
        // The button is the same one, with the focus still on it.
        await poll(() => page.evaluate(FOCUSED)).toBe('Resume web-1');
        await page.keyboard.press('Space');
        await poll(() => vmNamed(host, 'web-1').state).toMatch(/running|idle/);
        await poll(() => stateIn(page, 'web-1')).toBe('running');
      });
    });
  });

  it('raises an event, which really freezes its VM and no other', TIMEOUT, async () => {
    await withHost(['web-0', 'web-1'], async (host, metadata) => {
      await using dashboard = await DashboardServer.start(host, { metadata });
      await withPage(browser, dashboard.pageUrl, async (page) => {
        await page.getByLabel('web-0', { exact: true }).check();
        await page.getByLabel('Notice, seconds').fill('3600');
        await page.getByLabel('Duration, seconds').fill('600');
        await page.getByRole('button', { name: 'Raise the event' }).click();
        await poll(() => page.locator('#event-list').textContent()).toMatch(/Freeze of web-0in 60 min, for 10 min/);
        expect(vmNamed(host, 'web-0').state).not.toBe('paused');
        await page.getByRole('button', { name: 'Start now' }).click();
        await poll(() => vmNamed(host, 'web-0').state).toBe('paused');
        const { steps } = vmNamed(host, 'web-0').stats();
        await poll(() => stateIn(page, 'web-0')).toBe('frozen by an event or a caller');
        expect(vmNamed(host, 'web-0').stats().steps).toBe(steps);
        expect(vmNamed(host, 'web-1').state).not.toBe('paused');
        expect(await rowOf(page, 'web-0').getByRole('button').getAttribute('aria-disabled')).toBe('true');
      });
    });
  });

  it('withdraws an event that has not started', TIMEOUT, async () => {
    await withHost(['web-0'], async (host, metadata) => {
      metadata.raise({ type: 'Reboot', noticeMs: 3_600_000 });
      await using dashboard = await DashboardServer.start(host, { metadata });
      await withPage(browser, dashboard.pageUrl, async (page) => {
        await page.locator('#event-list').getByRole('button', { name: 'Cancel' }).click();
        await poll(() => metadata.state().events).toEqual([]);
        await poll(() => page.locator('#event-list').textContent()).toBe('None at present');
      });
    });
  });

  it('begins a maintenance, shows its phases, and cancels it', TIMEOUT, async () => {
    await using host = await Host.create();
    const vm = await host.createVm({ ...VM, name: 'web-0' });
    vm.start();
    await using dashboard = await DashboardServer.start(host, { patches: [patchPath('waits.mjs')] });
    await withPage(browser, dashboard.pageUrl, async (page) => {
      await page.getByRole('button', { name: 'Start a maintenance' }).click();
      await poll(() => stateIn(page, 'web-0')).toBe('frozen: patching');
      expect(vm.state).toBe('paused');
      expect(await page.locator('.steps [aria-current=step]').textContent()).toBe('patch');
      // Another one is refused, in the server's words.
      await page.getByRole('button', { name: 'Start a maintenance' }).click();
      await poll(() => page.locator('#notice').textContent()).toContain('Expected no maintenance under way');
      await page.getByRole('button', { name: 'Cancel the maintenance of host' }).click();
      await poll(() => vm.state).toMatch(/running|idle/);
      await poll(() => page.locator('#maintenances .status').textContent()).toContain('cancelled, the VMs run on');
      expect(host.log.entries.find(({ type }) => type === 'maintenance-rejected')).toMatchObject({
        code: 'ERR_ABORTED',
      });
      await poll(() => page.locator('#blackout-text').textContent()).toMatch(/^1 so far: p50 /);
    });
  });
});

describe('the dashboard of a fleet', () => {
  it('follows a rollout live, one update domain after the other', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      await using fleet = await Fleet.create({ hosts: 2, updateDomains: 2 });
      fleet.createAvailabilitySet({ name: 'web' });
      for (const _ of fleet.hosts) (await fleet.createVm({ ...VM, availabilitySet: 'web' })).start();
      const file = join(path, 'go');
      const patches = [{ module: patchPath('waits-for-file.mjs'), name: 'waits', options: { path: file } }];
      await using dashboard = await DashboardServer.start(fleet, { patches });
      await withPage(browser, dashboard.pageUrl, async (page, { complaints }) => {
        const domain = (number: number) => page.locator('#domains li').nth(number);
        await page.getByRole('button', { name: 'Start the rollout' }).click();
        await poll(() => stateIn(page, 'web-0')).toBe('frozen: patching');
        expect(await domain(0).getAttribute('data-state')).toBe('running');
        expect(await domain(1).getAttribute('data-state')).toBe('waiting');
        expect(fleet.vm('web-0').state).toBe('paused');
        expect(await stateIn(page, 'web-1')).toBe('running');
        writeFileSync(file, '');
        await poll(() => page.locator('#rollout-status').textContent()).toBe('It is done');
        expect(await domain(0).textContent()).toContain('well · 1 of 1 hosts patched');
        expect(await domain(1).textContent()).toContain('well · 1 of 1 hosts patched');
        await poll(() => page.locator('#blackout-text').textContent()).toMatch(/^2 so far/);
        expect(fleet.rolloutReport()).toMatchObject({ ok: true, status: 'done' });
        expect(complaints).toEqual([]);
      });
    });
  });

  it('stops a rollout that somebody else began, and gives it up', TIMEOUT, async () => {
    await withTemporaryFolder(async ({ path }) => {
      await using fleet = await Fleet.create({ hosts: 2, updateDomains: 2 });
      const file = join(path, 'go');
      const patches = [{ module: patchPath('waits-for-file.mjs'), options: { path: file } }];
      const rollout = fleet.rollout({ patches });
      await using dashboard = await DashboardServer.start(fleet, { patches });
      await withPage(browser, dashboard.pageUrl, async (page) => {
        await page.getByRole('button', { name: 'Stop' }).click();
        writeFileSync(file, '');
        expect(await rollout).toMatchObject({ status: 'stopped', stoppedBy: 'aborted' });
        await page.getByRole('button', { name: 'Give up' }).click();
        await poll(() => page.locator('#rollout-status').textContent()).toBe('It is given up');
        expect(fleet.rolloutReport()?.status).toBe('abandoned');
      });
    });
  });
});

describe('a server that is started anew', () => {
  it('is noticed, and the page begins anew with what that one has', TIMEOUT, async () => {
    await using before = await Host.create({ name: 'before' });
    (await before.createVm({ ...VM, name: 'old' })).start();
    const first = await DashboardServer.start(before, { token: TOKEN });
    const listen = new URL(first.url).host;
    await withPage(browser, first.pageUrl, async (page) => {
      await poll(() => stateIn(page, 'old')).toBe('running');
      await first.close();
      await poll(() => page.locator('#connection').textContent()).toBe('Reconnecting');
      await using after = await Host.create({ name: 'after' });
      (await after.createVm({ ...VM, name: 'new' })).start();
      await using _second = await DashboardServer.start(after, { token: TOKEN, listen });
      await poll(() => page.locator('#connection').textContent()).toBe('Live');
      await poll(() => stateIn(page, 'new')).toBe('running');
      expect(await page.locator('#vms li.vm').count()).toBe(1);
      expect(await page.locator('#notice').textContent()).toContain('The server was started anew');
      await poll(() => page.locator('#live').textContent()).toContain('started anew');
    });
  });

  it('with another token is asked again once the page has that', TIMEOUT, async () => {
    await using host = await Host.create();
    (await host.createVm({ ...VM, name: 'web-0' })).start();
    const first = await DashboardServer.start(host);
    const listen = new URL(first.url).host;
    await withPage(browser, first.pageUrl, async (page) => {
      await poll(() => stateIn(page, 'web-0')).toBe('running');
      await first.close();
      await using _second = await DashboardServer.start(host, { listen, token: TOKEN });
      await poll(() => page.locator('#connection').textContent()).toBe('No access');
      expect(await page.locator('#content').isVisible()).toBe(false);
      await page.getByLabel('Token').fill('not this one, surely');
      await page.keyboard.press('Enter');
      await poll(() => page.locator('#token-input').inputValue()).toBe('');
      await page.getByLabel('Token').fill(TOKEN);
      await page.keyboard.press('Enter');
      await poll(() => page.locator('#connection').textContent()).toBe('Live');
      await poll(() => stateIn(page, 'web-0')).toBe('running');
    });
  });

  it('of the same incarnation goes on where the page was', TIMEOUT, async () => {
    await using host = await Host.create();
    const vm = await host.createVm({ ...VM, name: 'web-0' });
    vm.start();
    await using dashboard = await DashboardServer.start(host);
    await using wire = await openWire(Number(new URL(dashboard.url).port));
    await withPage(browser, `${wire.url}/#token=${dashboard.token}`, async (page) => {
      await poll(() => stateIn(page, 'web-0')).toBe('running');
      wire.cut();
      await poll(() => page.locator('#connection').textContent()).toBe('Reconnecting');
      vm.pause();
      wire.mend();
      await poll(() => stateIn(page, 'web-0')).toBe('paused');
      expect(await page.locator('#notice').isVisible()).toBe(false);
      expect(await page.locator('#log').textContent()).toMatch(/web-0 is paused.*web-0 runs.*Host host is there/s);
    });
  });
});

describe('accessibility', () => {
  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ] as const)('has no serious violation, %s at %i pixels', TIMEOUT, async (colorScheme, width) => {
    await withHost(['web-0', 'web-1'], async (host, metadata) => {
      metadata.raise({ type: 'Freeze', noticeMs: 3_600_000 });
      vmNamed(host, 'web-1').pause();
      await host.applyMaintenance({ patches: ['no-such-patch.mjs'] }).catch(() => {});
      await using dashboard = await DashboardServer.start(host, { metadata, patches: [patchPath('prints.mjs')] });
      const options = { colorScheme, viewport: { width, height: 844 } };
      await withPage(
        browser,
        dashboard.pageUrl,
        async (page) => {
          await poll(() => stateIn(page, 'web-1')).toBe('paused');
          expect(await seriousViolations(page)).toEqual([]);
          // Nothing is wider than the screen.
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
          // The control: a button without a name is found.
          await page.evaluate("document.body.append(document.createElement('button'))");
          expect(await seriousViolations(page)).toEqual([expect.stringContaining('button-name')]);
        },
        options,
      );
    });
  });
});
