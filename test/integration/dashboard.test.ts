// The dashboard's server, as other clients than its page see it.

import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { DashboardServer, EventLog, Fleet, Host, type HostEvent, MetadataServer } from 'standstill';
import { describe, expect, it } from 'vitest';
import { patchPath } from '../fixtures/patches.js';

const VM = { program: 'kv-store', memory: '1MiB', name: 'web-0' };

async function withDashboard(
  use: (dashboard: DashboardServer, host: Host) => Promise<void>,
  metadata?: MetadataServer,
) {
  await using host = await Host.create({ metadata });
  (await host.createVm(VM)).start();
  await using dashboard = await DashboardServer.start(host, { metadata, patches: [patchPath('prints.mjs')] });
  await use(dashboard, host);
}

/** `fetch` sets Host and Origin itself. */
async function ask(url: string, headers: Record<string, string>, method = 'GET', body?: unknown) {
  const asking = request(url, {
    method,
    headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
  });
  asking.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = await once(asking, 'response');
  let text = '';
  for await (const part of response) text += part;
  return { status: response.statusCode as number, headers: response.headers, text };
}

describe('who is let in', () => {
  it('what brings the token, by a loopback name, from its own page', async () => {
    await withDashboard(async ({ url, token }, host) => {
      const own = new URL(url).host;
      const authorization = `Bearer ${token}`;
      const pause = async (headers: Record<string, string>) =>
        (await ask(`${url}/api/vms/web-0/pause`, headers, 'POST')).status;
      expect(await pause({})).toBe(401);
      expect(await pause({ authorization: 'Bearer wrong' })).toBe(401);
      expect(await pause({ authorization, host: 'rebound.example' })).toBe(403);
      expect(await pause({ authorization, host: `rebound.example:${new URL(url).port}` })).toBe(403);
      expect(await pause({ authorization, origin: 'http://a.example' })).toBe(403);
      expect(await pause({ authorization, origin: 'http://127.0.0.1:1' })).toBe(403);
      expect(await pause({ authorization, origin: 'null' })).toBe(403);
      expect(await pause({ authorization, 'sec-fetch-site': 'cross-site' })).toBe(403);
      expect(await pause({ authorization, 'sec-fetch-site': 'same-site' })).toBe(403);
      expect(await pause({ authorization, 'x-forwarded-for': '10.0.0.1' })).toBe(403);
      expect(host.vms[0]?.state).not.toBe('paused');
      // The control: nothing else was wrong with them.
      expect(await pause({ authorization, origin: `http://${own}`, 'sec-fetch-site': 'same-origin' })).toBe(200);
      expect(host.vms[0]?.state).toBe('paused');
    });
  });

  it('the page itself is for everybody here, tells nothing, and may not be framed or reach out', async () => {
    await withDashboard(async ({ url, token }) => {
      const { status, headers, text } = await ask(url, {});
      expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'text/html; charset=utf-8' });
      expect(headers['content-security-policy']).toMatch(/^default-src 'none';.*frame-ancestors 'none'$/);
      expect(headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'x-content-type-options': 'nosniff' });
      expect(text).not.toContain('web-0');
      expect(text).not.toContain(token);
      expect((await ask(url, { host: 'rebound.example' })).status).toBe(403);
      for (const path of ['/main.js', '/page.css', '/uplot/uPlot.esm.js', '/icon.svg']) {
        expect((await ask(`${url}${path}`, {})).status, path).toBe(200);
      }
      expect((await ask(`${url}/..%2fpackage.json`, {})).status).toBe(404);
      expect(
        (await ask(`${url}/main.js`, { 'if-none-match': (await ask(`${url}/main.js`, {})).headers.etag ?? '' })).status,
      ).toBe(304);
    });
  });

  it.each([
    [{ listen: '0.0.0.0:0' }, 'a loopback address'],
    [{ token: 'short' }, '16 characters at least'],
    [{ patches: [7 as never] }, 'a patch module'],
    [{ listening: '127.0.0.1' } as never, "did you mean 'listen'"],
  ])('%j is refused', async (options, message) => {
    await using host = await Host.create();
    await expect(DashboardServer.start(host, options)).rejects.toThrow(message);
  });
});

describe('what is asked for', () => {
  it('and cannot be done is answered by its code, and nothing is done', async () => {
    await using metadata = new MetadataServer();
    await withDashboard(async ({ url, token }, host) => {
      const post = async (path: string, body?: unknown) => {
        const { status, text } = await ask(`${url}/api${path}`, { authorization: `Bearer ${token}` }, 'POST', body);
        return { status, ...JSON.parse(text) };
      };
      expect(await post('/vms/web-1/pause')).toMatchObject({
        status: 400,
        error: expect.stringContaining("did you mean 'web-0'"),
      });
      expect(await post('/hosts/nobody/maintenance', {})).toMatchObject({ status: 400, code: 'ERR_INVALID_OPTION' });
      expect(await post('/hosts/host/maintenance', { budget: 3 })).toMatchObject({
        status: 400,
        code: 'ERR_UNKNOWN_OPTION',
      });
      expect(await post('/hosts/host/maintenance', { patches: [9] })).toMatchObject({
        status: 400,
        error: expect.stringContaining('below 1'),
      });
      expect(await post('/events', { type: 'Frieze' })).toMatchObject({ status: 400, code: 'ERR_INVALID_OPTION' });
      expect(await post('/events/none/acknowledge')).toMatchObject({ status: 404, code: 'ERR_EVENT_UNKNOWN' });
      expect(await post('/rollout', {})).toMatchObject({ status: 404 });
      host.vms[0]?.close();
      expect(await post('/vms/web-0/pause')).toMatchObject({ status: 400 });
      expect(host.log.entries.map(({ type }) => type)).not.toContain('maintenance-begin');
    }, metadata);
  });

  it('of a fleet is a rollout too: a failed one can be resumed and given up, and lets no other begin', async () => {
    await using fleet = await Fleet.create({ hosts: 1 });
    await using dashboard = await DashboardServer.start(fleet, {
      patches: [patchPath('throws.mjs'), patchPath('writes-file.mjs')],
    });
    const status = async (path: string, body?: unknown) =>
      (await ask(`${dashboard.url}/api${path}`, { authorization: `Bearer ${dashboard.token}` }, 'POST', body)).status;
    expect(await status('/rollout/resume')).toBe(409);
    expect(await status('/rollout', { patches: [0] })).toBe(202);
    await expect.poll(() => fleet.rolloutReport()?.status).toBe('stopped');
    expect(await status('/rollout', { patches: [1] })).toBe(409);
    expect(await status('/rollout/resume')).toBe(202);
    await expect.poll(() => fleet.rolloutReport()?.hosts[0]?.maintenances).toBe(2);
    await expect.poll(() => fleet.rolloutReport()?.status).toBe('stopped');
    expect(await status('/rollout/abandon')).toBe(204);
    expect(await status('/rollout', { patches: [1] })).toBe(202);
    await expect.poll(() => fleet.rolloutReport()?.status).toBe('done');
    expect(await status('/rollout/stop')).toBe(202);
  });
});

describe('the feed', () => {
  const messagesOf = (text: string) =>
    text
      .split('\n\n')
      .filter((part) => part.includes('event: '))
      .map((part) => {
        const [, id] = /^id: (.*)$/m.exec(part) ?? [];
        const [, event] = /^event: (.*)$/m.exec(part) ?? [];
        return { id, event, data: JSON.parse(/^data: (.*)$/m.exec(part)?.[1] ?? 'null') };
      });
  const read = async ({ url, token }: DashboardServer, until: string, lastEventId?: string) => {
    const response = await fetch(`${url}/api/feed`, {
      headers: { authorization: `Bearer ${token}`, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) },
    });
    let text = '';
    for await (const part of response.body ?? []) {
      text += Buffer.from(part).toString();
      if (text.includes(`event: ${until}`) && text.endsWith('\n\n')) break;
    }
    return messagesOf(text);
  };

  it('goes on behind the last entry, and begins anew for another incarnation', async () => {
    await withDashboard(async (dashboard, host) => {
      const first = await read(dashboard, 'picture');
      expect(first[0]).toMatchObject({ event: 'hello', data: { resumed: false, kind: 'host', patches: ['prints'] } });
      expect(first.at(-1)).toMatchObject({ event: 'picture', data: { vms: [{ name: 'web-0' }] } });
      const lastId = first.filter(({ event }) => event === 'entry').at(-1)?.id;
      host.vms[0]?.pause();
      const second = await read(dashboard, 'picture', lastId);
      expect(second.map(({ event, data }) => data.type ?? event)).toEqual(['hello', 'vm-paused', 'picture']);
      expect(second[0]?.data).toMatchObject({ resumed: true, incarnation: first[0]?.data.incarnation });
      for (const foreign of ['another.3', '', '3', `${first[0]?.data.incarnation}.999999`]) {
        expect((await read(dashboard, 'picture', foreign))[0]?.data.resumed, foreign).toBe(false);
      }
    });
  });

  it('of a reader that does not read holds nothing back: it is told to begin anew', { timeout: 60_000 }, async () => {
    const log = new EventLog<HostEvent>({ entriesMax: 30_000 });
    await using host = await Host.create({ log });
    await using dashboard = await DashboardServer.start(host);
    const { hostname, port } = new URL(dashboard.url);
    const socket = connect({ host: hostname, port: Number(port) });
    await once(socket, 'connect');
    socket.pause();
    socket.write(`GET /api/feed HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${dashboard.token}\r\n\r\n`);
    const patch = 'x'.repeat(500);
    for (let round = 0; round < 100; round += 1) {
      for (let index = 0; index < 1000; index += 1)
        log.append({ host: 'host', type: 'patch-end', patch, ok: true, durationNs: 1 });
      await sleep(1);
    }
    let text = '';
    socket.on('data', (part) => {
      text += part;
    });
    socket.resume();
    await expect.poll(() => text.includes(`"seq":${log.lastSeq},`), { timeout: 30_000 }).toBe(true);
    socket.destroy();
    expect(text.match(/^event: hello$/gm)?.length).toBeGreaterThanOrEqual(2);
    // What it got is less than what there was: nothing was kept for it beside the log.
    expect(text.match(/^event: entry$/gm)?.length).toBeLessThan(60_000);
  });

  it('counts dirty pages by ending epochs while somebody watches, and else touches no VM', {
    timeout: 60_000,
  }, async () => {
    await withDashboard(async (dashboard, host) => {
      const epoch = () => host.vms[0]?.stats().epoch ?? 0;
      const endedIn = async (durationMs: number) => {
        const before = epoch();
        await sleep(durationMs);
        return epoch() - before;
      };
      expect(await endedIn(1500)).toBe(0);
      const messages = await read(dashboard, 'sample');
      expect(messages.at(-1)?.data.vms['web-0']).toMatchObject({
        steps: expect.any(Number),
        dirtyPagesTotal: expect.any(Number),
      });
      expect(epoch()).toBeGreaterThan(0);
      await expect.poll(() => endedIn(1500), { timeout: 30_000 }).toBe(0);
    });
  });

  it('ends with its server, and with more pages than it has places for one is refused', async () => {
    await withDashboard(async (dashboard) => {
      const open = () =>
        fetch(`${dashboard.url}/api/feed`, { headers: { authorization: `Bearer ${dashboard.token}` } });
      const feeds = await Promise.all(Array.from({ length: 16 }, open));
      expect(feeds.map(({ status }) => status)).toEqual(feeds.map(() => 200));
      expect((await open()).status).toBe(503);
      await feeds[0]?.body?.cancel();
      await expect
        .poll(async () => {
          const again = await open();
          await again.body?.cancel();
          return again.status;
        })
        .toBe(200);
      await dashboard.close();
      for (const feed of feeds.slice(1)) await feed.text().catch(() => {});
    });
  });
});
