import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { FastifyBaseLogger, FastifyInstance } from 'fastify';
import { messageOf, StandstillError } from '../base/errors.js';
import { assertNotPublic, type Endpoint, endpointOf, urlOf } from './addresses.js';
import type { Guest } from './guest.js';
import { createGuestServer } from './guest-server.js';
import type { ServerLimits } from './server-options.js';

interface Listener {
  readonly app: FastifyInstance;
  readonly index: number;
  readonly url: string;
  /** Further sockets at which it takes connections. */
  readonly doors: Server[];
}

export interface ListenerPlan {
  readonly first: Endpoint;
  readonly spread: 'port' | 'address';
  readonly allowPublic: boolean;
  readonly limits: ServerLimits;
  readonly logger: FastifyBaseLogger | undefined;
}

/** The HTTP servers, one a VM, each at an endpoint of its own: the lowest that none of the others has. */
export class GuestListeners {
  readonly #plan: ListenerPlan;
  readonly #listeners = new Map<string, Listener>();
  readonly #indices = new Set<number>();

  constructor(plan: ListenerPlan) {
    this.#plan = plan;
  }

  /** Rejects with ERR_ADDRESS_PUBLIC, ERR_INVALID_OPTION, ERR_LISTEN_FAILED; nothing listens then. */
  async open(name: string, guest: Guest): Promise<string> {
    const { first, spread, allowPublic, limits, logger } = this.#plan;
    let index = 0;
    while (this.#indices.has(index)) index += 1;
    const endpoint = endpointOf(first, index, spread);
    if (!allowPublic) {
      assertNotPublic(endpoint, 'the metadata service', 'can read of the VMs and start their events');
    }
    this.#indices.add(index);
    const app = createGuestServer(guest, limits, logger?.child({ vm: name }));
    try {
      const url = urlOf({ ...endpoint, port: await listen(app, endpoint) });
      this.#listeners.set(name, { app, index, url, doors: [] });
      return url;
    } catch (error) {
      this.#indices.delete(index);
      await app.close();
      throw error;
    }
  }

  /** Takes connections for a server that is there, at a socket that listens. Rejects with ERR_LISTEN_FAILED. */
  async openDoor(name: string, socketFd: number): Promise<void> {
    const listener = this.#listeners.get(name);
    if (listener === undefined) throw new Error(`no server of ${name} is open`);
    const door = createServer((socket) => listener.app.server.emit('connection', socket));
    listener.doors.push(door);
    try {
      door.listen({ fd: socketFd });
      await once(door, 'listening');
    } catch (error) {
      const message = `Expected a socket that listens for '${name}' but: ${messageOf(error)}`;
      throw new StandstillError('ERR_LISTEN_FAILED', message, { cause: error });
    }
  }

  urlOf(name: string): string | undefined {
    return this.#listeners.get(name)?.url;
  }

  async close(name: string): Promise<void> {
    const listener = this.#listeners.get(name);
    if (listener === undefined) return;
    this.#listeners.delete(name);
    for (const door of listener.doors) door.close();
    await listener.app.close();
    this.#indices.delete(listener.index);
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#listeners.keys()].map((name) => this.close(name)));
  }
}

/** Returns the port. */
export async function listen(app: FastifyInstance, { address, port }: Endpoint): Promise<number> {
  try {
    await app.listen({ host: address, port });
  } catch (error) {
    const message = `Expected to listen at ${address}, port ${port}, but: ${messageOf(error)}`;
    throw new StandstillError('ERR_LISTEN_FAILED', message, { cause: error });
  }
  const bound = app.server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : port;
}
