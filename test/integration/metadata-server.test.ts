// The metadata service as a server: listeners, limits, faults, state. No VM is behind it.
import { Agent, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import pino from 'pino';
import { MetadataServer } from 'standstill';
import { describe, expect, it } from 'vitest';
import { acknowledge, ask, documentOf, EVENTS, metadataOf } from '../fixtures/metadata.js';

const HOUR_MS = 3_600_000;
const METADATA = { Metadata: 'true' };
const urlOf = (server: MetadataServer, vm = 'web-0') => server.urlOf(vm) as string;

/** A server at so many ports in a row that nobody has. */
async function atFreePorts(count: number): Promise<{ server: MetadataServer; port: number }> {
  const names = Array.from({ length: count }, (_, index) => `web-${index}`);
  for (;;) {
    await using probe = await metadataOf(['probe']);
    const port = Number(new URL(urlOf(probe, 'probe')).port) - 1000;
    const server = await metadataOf(names, { listen: `127.0.0.1:${port}` }).catch(() => undefined);
    if (server !== undefined) return { server, port };
  }
}

describe('listeners', () => {
  it('each VM has one of its own, at ports counted up; a free one is used again', async () => {
    const { server, port } = await atFreePorts(2);
    await using _closed = server;
    expect(['web-0', 'web-1'].map((vm) => server.urlOf(vm))).toEqual([
      `http://127.0.0.1:${port}`,
      `http://127.0.0.1:${port + 1}`,
    ]);
    await server.removeVm('web-0');
    expect(server.urlOf('web-0')).toBeUndefined();
    expect(await server.addVm({ name: 'web-2' })).toBe(`http://127.0.0.1:${port}`);
    expect(
      JSON.parse((await ask(`${urlOf(server, 'web-2')}/metadata/instance?api-version=2021-02-01`)).body),
    ).toMatchObject({ compute: { name: 'web-2' } });
  });

  it('or at loopback addresses counted up', async () => {
    await using probe = await metadataOf(['web-0']);
    const { port } = new URL(urlOf(probe));
    await using server = await metadataOf(['web-0', 'web-1'], { listen: `127.0.0.2:${port}`, spread: 'address' });
    expect(server.urlOf('web-1')).toBe(`http://127.0.0.3:${port}`);
    expect((await ask(urlOf(server, 'web-1') + EVENTS)).status).toBe(200);
  });

  it('a public address is refused with the reason, unless it is allowed', async () => {
    const open = (listen: string, allowPublic: boolean) => metadataOf(['web-0'], { listen, allowPublic });
    await expect(open('0.0.0.0:0', false)).rejects.toMatchObject({
      code: 'ERR_ADDRESS_PUBLIC',
      message: expect.stringContaining('every address of this machine'),
    });
    await using server = await open('0.0.0.0:0', true);
    expect(urlOf(server)).toMatch(/^http:\/\/0\.0\.0\.0:\d+$/);
  });

  it('a port that is taken is told, and the VM has not joined', async () => {
    await using first = await metadataOf(['web-0']);
    await using second = await metadataOf([], { listen: new URL(urlOf(first)).host });
    await expect(second.addVm({ name: 'web-0' })).rejects.toMatchObject({
      code: 'ERR_LISTEN_FAILED',
      message: expect.stringContaining('EADDRINUSE'),
    });
    expect(second.state().vms).toEqual([]);
    await first.close();
    expect(await second.addVm({ name: 'web-0' })).toContain('http://127.0.0.1:');
  });

  it('a closed server takes no VM and no event', async () => {
    const server = await metadataOf(['web-0']);
    const url = urlOf(server);
    await server.close();
    await server.close();
    await expect(server.addVm({ name: 'web-1' })).rejects.toMatchObject({ code: 'ERR_METADATA_CLOSED' });
    expect(() => server.raise({ type: 'Freeze' })).toThrowError(
      expect.objectContaining({ code: 'ERR_METADATA_CLOSED' }),
    );
    await expect(ask(url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });
});

describe('limits', () => {
  it('five requests a second for instance metadata, none for events, as in the cloud', async () => {
    /** Of seven requests to one VM and five to another, in one second: a longer burst says nothing of that. */
    const refusedOf = async (path: string): Promise<number> => {
      await using server = await metadataOf(['web-0', 'web-1']);
      const fromMs = performance.now();
      const vms = [...Array<string>(7).fill('web-0'), ...Array<string>(5).fill('web-1')];
      const replies = await Promise.all(vms.map((vm) => ask(urlOf(server, vm) + path)));
      if (performance.now() - fromMs >= 1000) return await refusedOf(path);
      return replies.filter(({ status }) => status === 429).length;
    };
    expect(await refusedOf('/metadata/instance?api-version=2021-02-01')).toBe(2);
    expect(await refusedOf('/metadata/versions')).toBe(2);
    expect(await refusedOf(EVENTS)).toBe(0);
  });

  it('both are configurable', async () => {
    await using server = await metadataOf(['web-0'], { eventRequestsPerSecond: 1, instanceRequestsPerSecond: 0 });
    expect((await ask(urlOf(server) + EVENTS)).status).toBe(200);
    let refused = await ask(urlOf(server) + EVENTS);
    while (refused.status === 200) refused = await ask(urlOf(server) + EVENTS);
    expect(refused).toMatchObject({ status: 429, body: '{"error":"Too many requests"}' });
    expect(refused.headers['retry-after']).toBe('1');
  });

  it('one connection more than a VM may have is closed', async () => {
    await using server = await metadataOf(['web-0', 'web-1'], { connectionsMax: 2 });
    const { port } = new URL(urlOf(server));
    const held = async () => {
      const socket = connect(Number(port), '127.0.0.1');
      socket.write('GET /metadata/versions HTTP/1.1\r\nHost: a\r\nMetadata: true\r\n\r\n');
      await new Promise((resolve) => socket.once('data', resolve));
      return socket;
    };
    const sockets = [await held(), await held()];
    await expect(ask(urlOf(server) + EVENTS)).rejects.toMatchObject({
      code: expect.stringMatching(/ECONNRESET|EPIPE/),
    });
    expect((await ask(urlOf(server, 'web-1') + EVENTS)).status).toBe(200);
    sockets[0]?.destroy();
    await expect.poll(async () => (await ask(urlOf(server) + EVENTS).catch(() => undefined))?.status).toBe(200);
    sockets[1]?.destroy();
  });

  it.each([
    ['its head', 'GET /metadata/versions HTTP/1.1\r\nHost: a\r\n'],
    [
      'its body',
      'POST /metadata/scheduledevents?api-version=2020-07-01 HTTP/1.1\r\nHost: a\r\nMetadata: true\r\nContent-Length: 100\r\n\r\n{',
    ],
  ])('a request that never ends %s is answered 408', async (_, head) => {
    await using server = await metadataOf(['web-0'], { requestTimeoutMs: 200 });
    const socket = connect(Number(new URL(urlOf(server)).port), '127.0.0.1');
    socket.write(head);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /);
  });
});

describe('a fault playbook', () => {
  const NETWORK_ERROR = 'ECONNRESET';

  it('is played in order, one step a reply, and then all is well', async () => {
    await using server = await metadataOf(['web-0', 'web-1']);
    server.playFaults('web-0', ['500 x2', 'delay 20ms', '404', 'truncated', 'malformed', 'reset', '410', 'ok']);
    const get = () => ask(urlOf(server) + EVENTS).catch((error) => error.code as string);
    const good = { status: 200, body: expect.stringMatching(/^{"DocumentIncarnation":1,"Events":\[\]}$/) };
    expect(await get()).toMatchObject({ status: 500, body: '{"error":"Internal Server Error"}' });
    expect(await get()).toMatchObject({ status: 500 });
    const fromMs = performance.now();
    expect(await get()).toMatchObject(good);
    expect(performance.now() - fromMs).toBeGreaterThanOrEqual(19);
    expect(await get()).toMatchObject({ status: 404 });
    expect(await get()).toBe(NETWORK_ERROR);
    const malformed = await get();
    expect(malformed).toMatchObject({ status: 200, body: '{"DocumentIncarnation":1,"Events":[]' });
    expect(await get()).toBe(NETWORK_ERROR);
    expect(await get()).toMatchObject({ status: 410 });
    expect(server.state().vms.map(({ faultsRemaining }) => faultsRemaining)).toEqual([1, 0]);
    expect(await get()).toMatchObject(good);
    expect(await get()).toMatchObject(good);
  });

  it('a truncated body announces more than it has', async () => {
    await using server = await metadataOf(['web-0']);
    server.playFaults('web-0', ['truncated']);
    const { port } = new URL(urlOf(server));
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`GET ${EVENTS} HTTP/1.1\r\nHost: a\r\nMetadata: true\r\n\r\n`);
    const raw = await text(socket);
    const length = Number(/content-length: (\d+)/i.exec(raw)?.[1]);
    const body = raw.slice(raw.indexOf('\r\n\r\n') + 4);
    expect(length).toBe('{"DocumentIncarnation":1,"Events":[]}'.length);
    expect(body).toBe('{"DocumentIncarnation":1,"Events":[]}'.slice(0, Math.floor(length / 2)));
  });

  it('hits a POST too, which then acknowledges nothing', async () => {
    await using server = await metadataOf(['web-0']);
    const [raised] = server.raise({ type: 'Freeze', noticeMs: HOUR_MS });
    server.playFaults('web-0', ['500', 'malformed']);
    expect((await acknowledge(urlOf(server), raised?.id ?? '')).status).toBe(500);
    expect(await acknowledge(urlOf(server), raised?.id ?? '')).toMatchObject({ status: 200, body: '{' });
    expect(server.state().events[0]).toMatchObject({ status: 'Scheduled', acknowledgements: [] });
  });

  it('of an unknown VM, or with an unknown step, is refused', async () => {
    await using server = await metadataOf(['web-0']);
    const invalid = expect.objectContaining({ code: 'ERR_INVALID_OPTION' });
    expect(() => server.playFaults('web-9', ['500'])).toThrowError(invalid);
    expect(() => server.playFaults('web-0', ['explode'])).toThrowError(invalid);
  });

  it('a delay does not outlive the server', async () => {
    const server = await metadataOf(['web-0']);
    server.playFaults('web-0', ['delay 5min']);
    const waits = ask(urlOf(server) + EVENTS).catch((error) => error.code as string);
    await expect.poll(() => server.state().vms[0]?.requests).toBe(1);
    await server.close();
    expect(await waits).not.toMatchObject({ status: 500 });
  });
});

describe('an event without a VM behind it', () => {
  it('goes from Scheduled over Started to its removal, each a change', async () => {
    await using server = await metadataOf(['web-0']);
    const url = urlOf(server);
    const [raised] = server.raise({ type: 'Freeze', noticeMs: HOUR_MS, durationMs: 20, settleMs: 20 });
    expect(await documentOf(url)).toMatchObject({
      DocumentIncarnation: 2,
      Events: [{ EventStatus: 'Scheduled', Resources: ['web-0'], DurationInSeconds: 1 }],
    });
    await acknowledge(url, raised?.id ?? '');
    expect(await raised?.done).toEqual({ reason: 'completed' });
    expect(await documentOf(url)).toEqual({ DocumentIncarnation: 4, Events: [] });
    expect(server.state().log.map(({ type }) => type)).toEqual([
      'event-scheduled',
      'service-enabled',
      'event-acknowledged',
      'event-started',
      'event-impact-begin',
      'event-impact-end',
      'event-removed',
    ]);
  });

  it('starts by itself when its notice has passed, and not before NotBefore', async () => {
    await using server = await metadataOf(['web-0'], { noticeMs: 1200, timeScale: 2 });
    const [raised] = server.raise({ type: 'Reboot', durationMs: 0, settleMs: 0 });
    const notBefore = Date.parse((await documentOf(urlOf(server))).Events[0]?.NotBefore ?? '');
    await raised?.done;
    const startedAtMs = server.state().log.find(({ type }) => type === 'event-started')?.wallTimeMs ?? 0;
    expect(startedAtMs).toBeGreaterThanOrEqual(notBefore);
    expect(server.state().log.map(({ type }) => type)).toContain('event-notice-passed');
  });

  it('can be cancelled while it is Scheduled, and not once it has Started', async () => {
    await using server = await metadataOf(['web-0']);
    const [first] = server.raise({ type: 'Freeze', noticeMs: HOUR_MS });
    server.cancel(first?.id ?? '');
    expect(await first?.done).toEqual({ reason: 'cancelled' });
    expect(await documentOf(urlOf(server))).toEqual({ DocumentIncarnation: 3, Events: [] });
    const [second] = server.failHardware({ durationMs: HOUR_MS });
    const { Events } = await documentOf(urlOf(server));
    expect(Events).toMatchObject([
      {
        EventStatus: 'Started',
        EventType: 'Reboot',
        NotBefore: '',
        Description: 'Host server is undergoing an emergency repair.',
      },
    ]);
    const code = (id: string) => {
      try {
        server.cancel(id);
      } catch (error) {
        return Reflect.get(error as object, 'code');
      }
    };
    expect(code(second?.id ?? '')).toBe('ERR_EVENT_STARTED');
    expect(code(first?.id ?? '')).toBe('ERR_EVENT_UNKNOWN');
  });

  it('can be acknowledged for its VM, and so starts now', async () => {
    await using server = await metadataOf(['web-0']);
    const [event] = server.raise({ type: 'Freeze', noticeMs: HOUR_MS, durationMs: 0, settleMs: 0 });
    server.acknowledge(event?.id ?? '');
    expect(await event?.done).toEqual({ reason: 'completed' });
    expect(server.log.entries).toContainEqual(
      expect.objectContaining({ type: 'event-acknowledged', eventId: event?.id, vm: 'web-0' }),
    );
    expect(() => server.acknowledge(event?.id ?? '')).toThrow(expect.objectContaining({ code: 'ERR_EVENT_UNKNOWN' }));
  });

  it('hits VMs of a set together, and others each by itself', async () => {
    await using server = await metadataOf(['web-0', 'web-1', 'db'], { sets: { web: ['web-0', 'web-1'] } });
    const raised = server.raise({ type: 'Freeze', noticeMs: HOUR_MS });
    expect(raised.map(({ vms }) => vms)).toEqual([['web-0', 'web-1'], ['db']]);
    expect((await documentOf(urlOf(server, 'db'))).Events).toHaveLength(1);
    await acknowledge(urlOf(server, 'web-1'), raised[0]?.id ?? '');
    expect(server.state().events.map(({ acknowledgements }) => acknowledgements.map(({ vm }) => vm))).toEqual([
      ['web-1'],
      [],
    ]);
    expect(server.state().vms.map(({ set }) => set)).toEqual(['web', 'web', undefined]);
  });

  it('may have a second impact, which nobody sees', async () => {
    await using server = await metadataOf(['web-0']);
    const second = { afterMs: 5, durationMs: 5 };
    const [raised] = server.raise({ type: 'Freeze', noticeMs: 0, durationMs: 5, settleMs: 0, second });
    await raised?.done;
    const types = server.state().log.map(({ type }) => type);
    expect(types.filter((type) => type === 'event-impact-begin')).toHaveLength(2);
    expect((await documentOf(urlOf(server))).DocumentIncarnation).toBe(4);
  });

  it.each([
    [{ type: 'Frieze' }, 'ERR_INVALID_OPTION'],
    [{ type: 'Freeze', notice: 1 }, 'ERR_UNKNOWN_OPTION'],
    [{ type: 'Freeze', vms: ['web-9'] }, 'ERR_INVALID_OPTION'],
    [{ type: 'Freeze', vms: [] }, 'ERR_INVALID_OPTION'],
    [{ type: 'Freeze', noticeMs: -1 }, 'ERR_INVALID_OPTION'],
    [{}, 'ERR_INVALID_OPTION'],
  ])('%j is refused, and nothing is scheduled', async (options, code) => {
    await using server = await metadataOf(['web-0']);
    expect(() => server.raise(options as never)).toThrowError(expect.objectContaining({ code }));
    expect(server.state().events).toEqual([]);
  });
});

it('an announcement is due when all its events are, and ends after the settle time', async () => {
  await using server = await metadataOf(['web-0', 'db'], { settleMs: 10 });
  const announcement = server.announce({ type: 'Freeze', vms: ['web-0', 'db'], durationSeconds: -1 });
  const due = announcement.due(new AbortController().signal);
  for (const vm of ['web-0', 'db']) {
    const { Events } = await documentOf(urlOf(server, vm));
    await acknowledge(urlOf(server, vm), ...Events.map(({ EventId }) => EventId));
  }
  expect(await due).toBe('acknowledged');
  announcement.started();
  expect((await documentOf(urlOf(server))).Events).toMatchObject([{ EventStatus: 'Started', DurationInSeconds: -1 }]);
  announcement.cancelled();
  announcement.ended();
  announcement.ended();
  await expect.poll(() => server.state().events).toEqual([]);
});

it('an announcement can be cancelled by either side, and its wait aborted', async () => {
  await using server = await metadataOf(['web-0']);
  const announce = () => server.announce({ type: 'Reboot', vms: ['web-0'], durationSeconds: 5 });
  announce().cancelled();
  expect(server.state().events).toEqual([]);
  const other = announce();
  const due = other.due(new AbortController().signal);
  server.cancel(server.state().events[0]?.id ?? '');
  await expect(due).rejects.toMatchObject({ code: 'ERR_ABORTED' });
  await expect(announce().due(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
});

it('the first reply waits until the service is enabled', async () => {
  await using server = await metadataOf(['web-0'], { enablingDelayMs: 1000, timeScale: 20 });
  const fromMs = performance.now();
  expect((await documentOf(urlOf(server))).Events).toEqual([]);
  expect(performance.now() - fromMs).toBeGreaterThanOrEqual(45);
});

it('state tells who asked when', async () => {
  await using server = await metadataOf(['web-0', 'web-1']);
  await ask(urlOf(server) + EVENTS, { headers: { ...METADATA, 'User-Agent': 'agent/1' } });
  const { vms, nowMs } = server.state();
  expect(vms[0]).toMatchObject({
    name: 'web-0',
    url: urlOf(server),
    requests: 1,
    recentRequests: [{ method: 'GET', apiVersion: '2020-07-01', remoteAddress: '127.0.0.1', userAgent: 'agent/1' }],
    document: { DocumentIncarnation: 1, Events: [] },
  });
  expect(vms[0]?.enabledAtMs).toBeLessThanOrEqual(nowMs);
  expect(vms[1]?.enabledAtMs).toBeUndefined();
});

it('logs each request at level debug', async () => {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line)) });
  await using server = await metadataOf(['web-0'], { logger });
  await ask(urlOf(server) + EVENTS);
  await ask(`${urlOf(server)}/nothing`);
  await ask(`${urlOf(server)}/%zz`);
  await expect
    .poll(() => lines.filter(({ msg }) => msg === 'request'))
    .toMatchObject([
      { level: 20, vm: 'web-0', method: 'GET', url: EVENTS, status: 200 },
      { level: 20, vm: 'web-0', method: 'GET', url: '/nothing', status: 404 },
      { level: 20, vm: 'web-0', method: 'GET', url: '/%zz', status: 400 },
    ]);
});

describe('instance metadata', () => {
  it.each(['2019-08-01', '2021-02-01', '2021-12-13'])('%s', async (version) => {
    await using server = new MetadataServer();
    const instance = { vmId: 'id', location: 'here', platformUpdateDomain: '3', platformFaultDomain: '1' };
    const url = await server.addVm({ name: 'web-0', instance });
    const { body } = await ask(`${url}/metadata/instance?api-version=${version}`);
    expect(JSON.parse(body).compute).toMatchObject({ name: 'web-0', zone: '', ...instance });
    const leaf = await ask(`${url}/metadata/instance/compute/name?api-version=${version}&format=text`);
    expect(leaf).toMatchObject({ status: 200, body: 'web-0' });
    expect(leaf.headers['content-type']).toBe('text/plain; charset=utf-8');
    expect((await ask(`${url}/metadata/instance/compute/name?api-version=${version}`)).status).toBe(400);
    expect((await ask(`${url}/metadata/instance/compute/x?api-version=${version}&format=text`)).status).toBe(404);
  });

  it('versions need no api-version', async () => {
    await using server = await metadataOf(['web-0']);
    const { body } = await ask(`${urlOf(server)}/metadata/versions`);
    expect(JSON.parse(body).apiVersions).toEqual(expect.arrayContaining(['2017-03-01', '2020-07-01', '2021-12-13']));
  });

  it('without a version names the newest', async () => {
    await using server = await metadataOf(['web-0']);
    const { status, body } = await ask(`${urlOf(server)}/metadata/instance`);
    expect(status).toBe(400);
    expect(JSON.parse(body)['newest-versions']).toEqual(['2021-12-13', '2021-11-15', '2021-11-01']);
  });
});

it('connections are kept alive between requests', async () => {
  await using server = await metadataOf(['web-0']);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const get = () =>
    new Promise<boolean>((resolve, reject) => {
      const sent = request(urlOf(server) + EVENTS, { agent, headers: METADATA }, (response) => {
        response.resume().on('end', () => resolve(sent.reusedSocket));
      });
      sent.on('error', reject).end();
    });
  expect(await get()).toBe(false);
  expect(await get()).toBe(true);
  agent.destroy();
});
