// What a guest's agent sees: answers to GET with many VMs, each with a view of its own; and how close the freeze follows
// an event's start, and the event's removal the resume.
import { Agent, request } from 'node:http';
import Fastify from 'fastify';
import { monotonicNs } from '../../base/clock.js';
import { Host } from '../../host/host.js';
import { MetadataServer } from '../../scheduled-events/metadata-server.js';
import type { BenchCase, BenchContext, MetricDraft } from '../case.js';

const VMS = 100;
const IN_FLIGHT = 16;
const HOUR_MS = 3_600_000;
const NS_PER_S = 1e9;
const EVENTS = '/metadata/scheduledevents?api-version=2020-07-01';

export const metadata: BenchCase = {
  name: 'metadata',
  promise: null,
  summary: 'Scheduled Events: GET with 100 VMs beside a bare fastify route; Started → freeze, resume → removal',
  seconds: 25,
  async run(context) {
    return [...(await requests(context)), ...(await impacts(context))];
  },
};

async function requests({ quick, latencies, figures, inTurns }: BenchContext): Promise<MetricDraft[]> {
  const rounds = quick ? 5 : 20;
  const perRound = quick ? 400 : 2000;
  await using server = new MetadataServer();
  const urls: string[] = [];
  for (let index = 0; index < VMS; index += 1) urls.push((await server.addVm({ name: `vm-${index}` })) + EVENTS);
  server.raise({ type: 'Freeze', noticeMs: HOUR_MS });
  const bare = await bareServer(await get(urls[0] as string));
  const agent = new Agent({ keepAlive: true });
  const side = (of: (turn: number) => string, latency = latencies(), rate = figures()) => ({
    latency,
    rate,
    run: async ({ warmUp }: { readonly warmUp: boolean }) => {
      const { samplesNs, seconds } = await ask(of, perRound, agent);
      if (warmUp) return;
      latency.recordAll(samplesNs);
      rate.record(perRound / seconds);
    },
  });
  const ours = side((turn) => urls[turn % VMS] as string);
  const theirs = side(() => bare.url);
  try {
    await inTurns(rounds, [ours.run, theirs.run]);
  } finally {
    agent.destroy();
    await bare.close();
  }
  const limit = 'a bare fastify route that answers the same bytes';
  const params = { vms: VMS, inFlight: IN_FLIGHT };
  const notes = ['client and server share one thread: both are in every figure, on both sides'];
  return [
    { title: 'metadata GET', params, ours: ours.latency, limit: { name: limit, series: theirs.latency }, notes },
    { title: 'metadata GET rate', unit: 'ops/s', params, ours: ours.rate, limit: { name: limit, series: theirs.rate } },
  ];
}

async function bareServer(body: string) {
  const app = Fastify();
  app.get('/', (_request, reply) => reply.type('application/json; charset=utf-8').send(body));
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return { url, close: () => app.close() };
}

const get = (url: string, agent?: Agent): Promise<string> =>
  new Promise((resolve, reject) => {
    const sent = request(url, { headers: { Metadata: 'true' }, ...(agent && { agent }) }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.on('end', () => resolve(body));
    });
    sent.on('error', reject).end();
  });

/** So many requests, so many of them at a time. */
async function ask(urlOf: (turn: number) => string, count: number, agent: Agent) {
  const samplesNs: number[] = [];
  let turn = 0;
  const beganAtNs = monotonicNs();
  const worker = async () => {
    while (turn < count) {
      const url = urlOf(turn);
      turn += 1;
      const fromNs = monotonicNs();
      await get(url, agent);
      samplesNs.push(Number(monotonicNs() - fromNs));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return { samplesNs, seconds: Number(monotonicNs() - beganAtNs) / NS_PER_S };
}

async function impacts({ quick, latencies, signal }: BenchContext): Promise<MetricDraft[]> {
  const rounds = quick ? 20 : 200;
  const toHalt = latencies();
  const toRemoval = latencies();
  await using server = new MetadataServer({ settleMs: 0 });
  await using host = await Host.create({ metadata: server });
  const vm = await host.createVm({ name: 'bench', program: 'page-writer', memory: '16 MiB', prefault: true });
  vm.start();
  const now = () => host.log.sinceBeginNs(monotonicNs());
  for (let round = 0; round < rounds; round += 1) {
    signal.throwIfAborted();
    const at = { started: 0, removed: 0 };
    using _log = server.log.subscribe(({ type }) => {
      if (type === 'event-started') at.started = now();
      if (type === 'event-removed') at.removed = now();
    });
    const [raised] = server.raise({ type: 'Freeze', noticeMs: 0, durationMs: 5 });
    await raised?.done;
    const impact = host.log.entries.findLast(({ type }) => type === 'impact-end');
    if (impact?.type !== 'impact-end') continue;
    toHalt.record(impact.haltedAtNs - at.started);
    toRemoval.record(at.removed - impact.resumedAtNs);
  }
  return [
    {
      title: 'metadata Started to halt',
      ours: toHalt,
      notes: ['from the moment at which a GET tells Started to the guest’s own halt stamp'],
    },
    {
      title: 'metadata resume to removal',
      ours: toRemoval,
      notes: ['with a settle time of 0, whose timer takes a millisecond'],
    },
  ];
}
