import { createServer, type Server } from 'node:net';
import type { EndpointTraffic } from '@reactor/core';
import type { Listener, ProxyDocument } from './document.js';
import { Seats } from './seats.js';
import { type SessionRow, Switchboard } from './switchboard.js';

/**
 * All urls of one process. Replacing the document opens and closes ports; a port that stays is not closed for a moment, and
 * no session ends because of a document: what has left it goes on until its clients have gone.
 */
export interface Applied {
  /** By endpoint, why its url is not served. */
  readonly aside: Readonly<Record<string, string>>;
}

export type Sight = Readonly<Record<string, EndpointTraffic>>;

interface Port {
  readonly server: Server;
  readonly board: Switchboard;
}

/** Kept seats end, and the forgotten are forgotten, at this pace; `reconnect` is a matter of seconds. */
const LOOK_MS = 500;
const BACKLOG = 1_024;

export class TcpProxy {
  readonly #seats = new Seats();
  readonly #ports = new Map<number, Port>();
  /** Out of the document, with clients that have not gone yet. */
  readonly #leaving = new Set<Switchboard>();
  readonly #limit: number;
  readonly #sinceMs = Date.now();
  readonly #look: NodeJS.Timeout;

  /** `limit`: clients it holds at most. */
  constructor(limit: number) {
    this.#limit = limit;
    this.#look = setInterval(() => this.#tidy(), LOOK_MS);
    this.#look.unref();
  }

  /** Returns once every port of the document listens, or cannot. */
  async apply(document: ProxyDocument): Promise<Applied> {
    const wanted = new Map(document.listeners.map((listener) => [listener.port, listener]));
    for (const [port, one] of this.#ports) if (!wanted.has(port)) this.#close(port, one);
    const aside: Record<string, string> = {};
    for (const listener of wanted.values()) {
      const known = this.#ports.get(listener.port);
      if (known !== undefined) {
        known.board.configure(listener);
        continue;
      }
      const problem = await this.#open(listener);
      if (problem !== null) for (const { name } of listener.endpoints) aside[name] = problem;
    }
    return { aside };
  }

  sight(nowMs: number): Sight {
    const endpoints: Record<string, EndpointTraffic> = {};
    for (const board of this.#boards()) {
      for (const [name, traffic] of Object.entries(board.traffic(nowMs, this.#sinceMs))) {
        const other = endpoints[name];
        endpoints[name] = other === undefined ? traffic : together(other, traffic);
      }
    }
    return endpoints;
  }

  sessions(): readonly SessionRow[] {
    return this.#boards().flatMap((board) => board.sessions());
  }

  kill(endpoint: string, client: string): boolean {
    return this.#boards()
      .map((board) => board.kill(endpoint, client))
      .includes(true);
  }

  /** Whether it serves nothing and nobody is left. */
  get isIdle(): boolean {
    return this.#ports.size === 0 && this.#boards().every((board) => board.isIdle);
  }

  /** Accepts nobody any more. */
  retire(): void {
    for (const [port, one] of this.#ports) this.#close(port, one);
  }

  async #open(listener: Listener): Promise<string | null> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const problem = (await listen(server, listener.port, '::')) ?? null;
    // A machine without IPv6 has no such address.
    const final =
      problem?.code === 'EAFNOSUPPORT' || problem?.code === 'EADDRNOTAVAIL'
        ? await listen(server, listener.port, '0.0.0.0')
        : problem;
    if (final !== null) return final.code === 'EADDRINUSE' ? `another program listens on port ${listener.port}` : final.message;
    const board = new Switchboard(listener, {
      seats: this.#seats,
      freed: () => this.#pump(),
      admits: () => this.#boards().reduce((sum, each) => sum + each.clients, 0) < this.#limit,
    });
    server.on('connection', (socket) => board.accept(socket));
    // One that could not be accepted is one client's misfortune, not everyone's.
    server.on('error', () => undefined);
    this.#ports.set(listener.port, { server, board });
    return null;
  }

  #close(port: number, { server, board }: Port): void {
    this.#ports.delete(port);
    server.close();
    board.close();
    this.#leaving.add(board);
  }

  #boards(): readonly Switchboard[] {
    return [...[...this.#ports.values()].map(({ board }) => board), ...this.#leaving];
  }

  #pump(): void {
    for (const { board } of this.#ports.values()) board.pump();
  }

  #tidy(): void {
    for (const board of this.#leaving) if (board.isIdle) this.#leaving.delete(board);
    const mentioned = new Set(this.#boards().flatMap((board) => board.mentioned()));
    this.#seats.expire(Date.now(), mentioned);
    this.#pump();
  }
}

function listen(server: Server, port: number, host: string): Promise<NodeJS.ErrnoException | null> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => resolve(error);
    server.once('error', failed);
    server.listen({ port, host, backlog: BACKLOG }, () => {
      server.off('error', failed);
      resolve(null);
    });
  });
}

/** An endpoint that has moved to another port is seen at both while its old sessions last. */
function together(a: EndpointTraffic, b: EndpointTraffic): EndpointTraffic {
  const seconds = new Map(a.buckets.map((bucket) => [bucket.second, bucket]));
  for (const bucket of b.buckets) {
    const other = seconds.get(bucket.second);
    const sum = (key: 'requests' | 'bytes' | 'errors'): number => bucket[key] + (other?.[key] ?? 0);
    seconds.set(bucket.second, { ...bucket, requests: sum('requests'), bytes: sum('bytes'), errors: sum('errors') });
  }
  const backends = { ...a.backends };
  for (const [id, backend] of Object.entries(b.backends)) {
    const other = backends[id];
    backends[id] =
      other === undefined
        ? backend
        : {
            ...backend,
            active: Math.max(backend.active, other.active),
            requests: backend.requests + other.requests,
            errors: backend.errors + other.errors,
          };
  }
  return {
    ...a,
    buckets: [...seconds.values()].sort((x, y) => x.second - y.second),
    active: Object.values(backends).reduce((sum, backend) => sum + backend.active, 0),
    pending: (a.pending ?? 0) + (b.pending ?? 0),
    backends,
  };
}
