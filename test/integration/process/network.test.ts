import { once } from 'node:events';
import { createServer } from 'node:net';
import { Host, MetadataServer, ProcessVm } from 'standstill';
import { describe, expect, it } from 'vitest';
import { availableFreezers, startedGuest } from '../../fixtures/guests.js';
import { hasNamespaces } from '../../fixtures/namespace.js';
import { freePort } from '../../fixtures/ports.js';

const TIMEOUT = { timeout: 60_000 };
const NODE = process.execPath;

/** Answers with the body that it was sent. */
const ECHO = "require('node:http').createServer((q, r) => q.pipe(r)).listen(8080, '127.0.0.1')";
const OWN = { network: 'own', publish: [{ guest: 8080 }] } as const;

const freezers = await availableFreezers();

const urlOf = (vm: ProcessVm): string => `http://127.0.0.1:${vm.publishedPorts[0]?.host}/`;
const echoed = async (vm: ProcessVm, body: Buffer<ArrayBuffer>): Promise<Buffer> => {
  const response = await fetch(urlOf(vm), { method: 'POST', body });
  return Buffer.from(await response.arrayBuffer());
};

describe.skipIf(!hasNamespaces())('a guest in a network of its own', () => {
  /** An agent that knows the cloud's address and nothing of ours. */
  const AGENT = `
    const url = 'http://169.254.169.254/metadata/scheduledevents?api-version=2020-07-01';
    console.log('told ' + process.env.STANDSTILL_METADATA_URL);
    (async () => {
      let said;
      for (;;) {
        const { Events } = await (await fetch(url, { headers: { Metadata: 'true' } })).json();
        const text = Events.map((e) => e.EventType + ' of ' + e.Resources + ' is ' + e.EventStatus).join();
        if (text !== said) console.log('sees ' + (said = text));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();`;

  it('finds its metadata service at 169.254.169.254, and each its own', TIMEOUT, async () => {
    await using metadata = new MetadataServer({ settleMs: 20 });
    await using host = await Host.create({ metadata });
    const agents: ProcessVm[] = [];
    for (const name of ['first', 'second']) {
      const options = { name, command: NODE, args: ['-e', AGENT], network: 'own', ready: { line: 'sees ' } } as const;
      const vm = await host.createProcessVm(options);
      vm.start();
      await vm.ready();
      agents.push(vm);
    }
    const linesOf = (vm: ProcessVm | undefined) => vm?.logTail(100).map(({ text }) => text);
    const [first, second] = agents;
    expect(linesOf(first)).toEqual(['told http://169.254.169.254', 'sees ']);
    expect(first?.metadataUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const [raised] = metadata.raise({ type: 'Freeze', vms: ['first'], durationMs: 50, noticeMs: 1000 });
    await expect.poll(() => linesOf(first), TIMEOUT).toContain('sees Freeze of first is Scheduled');
    await raised?.done;
    await expect.poll(() => linesOf(first)?.at(-1), TIMEOUT).toBe('sees ');
    expect(linesOf(second)).toEqual(['told http://169.254.169.254', 'sees ']);
    // The same network and the same service after a restart.
    await first?.shutDown();
    first?.start();
    await first?.ready();
    expect(linesOf(first)?.slice(-2)).toEqual(['told http://169.254.169.254', 'sees ']);
  });

  it('is reached at the ports that it publishes, and two may listen at the same', TIMEOUT, async () => {
    const options = { command: NODE, args: ['-e', ECHO], ready: { port: 8080 }, ...OWN } as const;
    await using first = await startedGuest(options);
    await using second = await startedGuest(options);
    expect(first.publishedPorts).toEqual([{ host: expect.any(Number), guest: 8080 }]);
    const large = Buffer.alloc(3 << 20, 'standstill');
    for (const vm of [first, second]) {
      expect((await echoed(vm, large)).equals(large)).toBe(true);
      expect(vm.stats()).toMatchObject({ processes: 1, outsideGroup: 0 }); // the relay is none of the guest
    }
    const many = await Promise.all(Array.from({ length: 40 }, (_, n) => echoed(first, Buffer.from(`${n}`))));
    expect(many.map(String)).toEqual(Array.from({ length: 40 }, (_, n) => `${n}`));
  });

  it('is ready by HTTP at a published port, and reaches nothing outside', TIMEOUT, async () => {
    const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const script = `require('node:net').connect(${port}, '127.0.0.1').on('error', (e) => console.log(e.code)); ${ECHO}`;
    const ready = { http: 'http://127.0.0.1:8080/' };
    await using vm = await startedGuest({ command: NODE, args: ['-e', script], ready, ...OWN });
    expect(vm.logTail().map(({ text }) => text)).toEqual(['ECONNREFUSED']);
    server.close();
  });

  it('a published port where nobody listens resets, and a guest that never listens is not ready', TIMEOUT, async () => {
    await using vm = await startedGuest({ command: 'sleep', args: ['1000'], ...OWN });
    await expect(fetch(urlOf(vm))).rejects.toThrow();
    const options = { command: 'sleep', args: ['1000'], ready: { port: 8080 }, readyTimeoutMs: 300, ...OWN };
    await expect(startedGuest(options)).rejects.toMatchObject({ code: 'ERR_PROCESS_NOT_READY' });
  });

  it.each(freezers)('%s: a frozen one answers after the thaw', TIMEOUT, async (freezer) => {
    await using vm = await startedGuest({ command: NODE, args: ['-e', ECHO], ready: { port: 8080 }, freezer, ...OWN });
    vm.pause({ timeoutMs: 10_000 });
    const before = await vm.memoryImage();
    let isAnswered = false;
    const answer = echoed(vm, Buffer.from('late')).finally(() => {
      isAnswered = true;
    });
    expect(before.compare(await vm.memoryImage())).toBeNull();
    expect(isAnswered).toBe(false);
    vm.resume();
    expect(String(await answer)).toBe('late');
  });
});

describe('what is refused of a network', () => {
  it.skipIf(!hasNamespaces())('a port of the host that is taken', TIMEOUT, async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const publish = [{ host: port, guest: 80 }];
    await expect(ProcessVm.create({ command: 'true', network: 'own', publish })).rejects.toMatchObject({
      code: 'ERR_NETWORK_UNAVAILABLE',
      message: expect.stringMatching(`port ${port} of the host: EADDRINUSE`),
    });
    server.close();
  });

  it.each([
    [{ network: 'mine' }, "'host' or 'own'"],
    [{ publish: [80] }, "the network 'own'"],
    [{ network: 'own', publish: [0] }, 'an array of ports'],
    [{ network: 'own', publish: [{ host: 1 }] }, 'an array of ports'],
    [{ network: 'own', ready: { http: 'http://127.0.0.1:8080/' } }, 'a port that is published'],
    [{ network: 'own', publish: [81], ready: { http: 'http://127.0.0.1/' } }, 'a port that is published'],
  ])('%j', async (options, expected) => {
    await expect(ProcessVm.create({ command: 'true', ...(options as object) })).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining(expected),
    });
  });

  it('of the host, publishes nothing', TIMEOUT, async () => {
    const port = await freePort();
    await using vm = await startedGuest({ command: 'sleep', args: ['1000'] });
    expect(vm.publishedPorts).toEqual([]);
    await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  });
});
