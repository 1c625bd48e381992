import { basename, extname } from 'node:path';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { StandstillError } from '../base/errors.js';
import type { LogEntry } from '../base/event-log.js';
import { parseOptions, wholeNumber } from '../base/options.js';
import type { FleetEvent } from '../fleet/events.js';
import type { Fleet } from '../fleet/fleet.js';
import { kindOf, type PatchSpec } from '../maintenance/patch-source.js';
import type { MetadataServer } from '../scheduled-events/metadata-server.js';
import type { Subject } from './subject.js';

const EXPECTED_NAMES = 'an array of names of VMs';

const settingsFields = {
  /** Which of the dashboard's patches, by their position. Default: all. */
  patches: z.array(wholeNumber(0, 10_000), 'an array of positions').optional(),
  budgetMs: z.number('milliseconds').optional(),
  proof: z.enum(['deferred', 'full', 'sampled', 'none'], "'deferred', 'full', 'sampled' or 'none'").optional(),
  allowReboot: z.boolean('true or false').optional(),
};

const maintenanceSchema = z.strictObject({
  ...settingsFields,
  vms: z.array(z.string(EXPECTED_NAMES), EXPECTED_NAMES).optional(),
});

const rolloutSchema = z.strictObject({
  ...settingsFields,
  pauseBetweenMs: z.number('milliseconds').optional(),
  hostsAtOnce: z.number('a whole number').optional(),
});

/** What the page, or whoever has the token, can do. What it asks for is under way when it is answered; the log tells the rest. */
export function serveActions(
  app: FastifyInstance,
  subject: Subject,
  { metadata, patches }: { readonly metadata: MetadataServer | undefined; readonly patches: readonly PatchSpec[] },
): void {
  app.post<VmRoute>('/vms/:vm/pause', ({ params }) => subject.vmNamed(params.vm).vm.pause());
  app.post<VmRoute>('/vms/:vm/resume', ({ params }, reply) => {
    subject.vmNamed(params.vm).vm.resume();
    return done(reply);
  });
  serveMaintenances(app, subject, patches);
  if (subject.fleet !== undefined) serveRollouts(app, subject, subject.fleet, patches);
  if (metadata !== undefined) serveEvents(app, metadata);
}

type VmRoute = { Params: { vm: string } };
type HostRoute = { Params: { host: string } };
type EventRoute = { Params: { id: string } };

function serveMaintenances(app: FastifyInstance, subject: Subject, patches: readonly PatchSpec[]): void {
  app.post<HostRoute>('/hosts/:host/maintenance', async ({ params, body }, reply) => {
    const host = subject.hostNamed(params.host);
    const { vms, ...settings } = parseOptions(maintenanceSchema, body ?? {}, 'a maintenance');
    const options = {
      ...settings,
      patches: chosen(patches, settings.patches),
      vms: vms?.map((name) => subject.vmNamed(name).vm),
    };
    const isBegin = (entry: LogEntry<FleetEvent>) => entry.type === 'maintenance-begin' && entry.host === host.name;
    await begun(subject, isBegin, () => host.applyMaintenance(options));
    return begunReply(reply);
  });
  app.delete<HostRoute>('/hosts/:host/maintenance', ({ params }, reply) => {
    if (subject.hostNamed(params.host).cancelMaintenance()) return begunReply(reply);
    return done(reply);
  });
}

function serveRollouts(app: FastifyInstance, subject: Subject, fleet: Fleet, patches: readonly PatchSpec[]): void {
  const isBegin = ({ type }: LogEntry<FleetEvent>) => type === 'rollout-started' || type === 'rollout-resumed';
  app.post('/rollout', async ({ body }, reply) => {
    const settings = parseOptions(rolloutSchema, body ?? {}, 'a rollout');
    const options = { ...settings, patches: chosen(patches, settings.patches) };
    await begun(subject, isBegin, () => fleet.rollout(options));
    return begunReply(reply);
  });
  app.post('/rollout/resume', async (_request, reply) => {
    await begun(subject, isBegin, () => fleet.resumeRollout());
    return begunReply(reply);
  });
  app.post('/rollout/stop', (_request, reply) => {
    void fleet.stopRollout();
    return begunReply(reply);
  });
  app.post('/rollout/abandon', async (_request, reply) => {
    await fleet.abandonRollout();
    return done(reply);
  });
}

/** The bodies are those of the control endpoint. */
function serveEvents(app: FastifyInstance, metadata: MetadataServer): void {
  app.post('/events', ({ body }, reply) =>
    reply.code(201).send(metadata.raise(body as never).map(({ id, type, vms }) => ({ id, type, vms }))),
  );
  app.post<EventRoute>('/events/:id/acknowledge', ({ params }, reply) => {
    metadata.acknowledge(params.id);
    return done(reply);
  });
  app.delete<EventRoute>('/events/:id', ({ params }, reply) => {
    metadata.cancel(params.id);
    return done(reply);
  });
}

const done = (reply: FastifyReply): FastifyReply => reply.code(204).send();
const begunReply = (reply: FastifyReply): FastifyReply => reply.code(202).send({});

/** Resolves at the entry of its begin. Rejects where it ends before that; how it ends later is the log's to tell. */
async function begun(
  { log }: Subject,
  isBegin: (entry: LogEntry<FleetEvent>) => boolean,
  start: () => Promise<unknown>,
): Promise<void> {
  let subscription: Disposable | undefined;
  const begin = new Promise<void>((resolve) => {
    subscription = log.subscribe((entry) => {
      if (isBegin(entry)) resolve();
    });
  });
  using _subscription = subscription;
  await Promise.race([begin, start()]);
}

function chosen(patches: readonly PatchSpec[], positions: readonly number[] | undefined): readonly PatchSpec[] {
  if (positions === undefined) return patches;
  return positions.map((position) => {
    const patch = patches[position];
    if (patch !== undefined) return patch;
    const message = `Expected a position below ${patches.length} for a patch but received ${position}`;
    throw new StandstillError('ERR_INVALID_OPTION', message);
  });
}

/** What the page calls it: as the report of a maintenance does. */
export function patchName(spec: PatchSpec): string {
  const kind = kindOf(spec);
  if ('bundle' in kind) return basename(kind.bundle);
  const { module } = kind;
  if (typeof module === 'object' && 'module' in module) return module.name ?? fileName(module.module);
  return fileName(module);
}

const fileName = (module: string | URL): string => basename(String(module), extname(String(module)));
