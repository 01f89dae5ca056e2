/** An HTTP server on a unix socket that answers as told, for the replies no healthy engine gives. */
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ContainerEngine, LogLevel } from '@reactor/core';
import type { Limits } from '../src/index.js';
import { createEngine } from '../src/index.js';

export interface FakeDockerd {
  readonly socket: string;
  /** `METHOD path` without version and query, in order. */
  readonly requests: string[];
  close(): Promise<void>;
}

export type Reply = (request: IncomingMessage, response: ServerResponse) => void;

/** `replies` by `METHOD path-prefix`, the longest that fits; `GET /version` is answered as by Docker 28 unless told. */
export async function fakeDockerd(replies: Readonly<Record<string, Reply>>): Promise<FakeDockerd> {
  const directory = await mkdtemp(join(tmpdir(), 'fake-dockerd-'));
  const socket = join(directory, 'd.sock');
  const requests: string[] = [];
  const all: Readonly<Record<string, Reply>> = { 'GET /version': json({ Version: '28.2.2', ApiVersion: '1.50' }), ...replies };
  const listener: RequestListener = (request, response) => {
    const place = `${request.method} ${(request.url ?? '').replace(/^\/v[0-9.]+/, '').replace(/\?.*/, '')}`;
    requests.push(place);
    request.resume();
    const [best] = Object.keys(all)
      .filter((prefix) => place.startsWith(prefix))
      .sort((left, right) => right.length - left.length);
    (best === undefined ? json({ message: 'page not found' }, 404) : all[best]!)(request, response);
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    socket,
    requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

export function json(body: unknown, status = 200): Reply {
  return (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  };
}

export interface Logged {
  readonly engine: ContainerEngine;
  readonly log: [LogLevel, string][];
  readonly counts: string[];
}

/** An engine object with a journal of what it logs and counts. */
export function engineAt(socket: string, limits: Partial<Limits> = {}, cluster = 'test'): Logged {
  const log: [LogLevel, string][] = [];
  const counts: string[] = [];
  const engine = createEngine({
    socket,
    cluster,
    limits,
    log: (level, message) => log.push([level, message]),
    meter: {
      add: (_name, labels) => counts.push(labels['code'] ?? ''),
      set: () => undefined,
      observe: () => undefined,
    },
  });
  return { engine, log, counts };
}
