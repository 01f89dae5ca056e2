import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server as TcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HaproxyService, LoadBalancer, Meter } from '@reactor/core';
import { createHaproxy, type HaproxyOptions } from '../src/index.js';
import { findMaster, type MasterPlace, until } from '../src/process.js';

/** A real haproxy in a temporary directory, backends, and a client; `stop` ends what was started, by pid. */
export class OwnHaproxy {
  readonly directory = mkdtempSync(join(tmpdir(), 'haproxy-'));
  readonly counted: string[] = [];
  readonly said: string[] = [];
  readonly #balancers: LoadBalancer<HaproxyService>[] = [];
  readonly #servers: (Server | TcpServer)[] = [];

  get place(): MasterPlace {
    const file = (name: string) => join(this.directory, name);
    return {
      binary: '/usr/sbin/haproxy',
      configFile: file('haproxy.cfg'),
      pidFile: file('haproxy.pid'),
      masterSocket: file('master.sock'),
      accessLog: file('access.log'),
      errorLog: file('error.log'),
    };
  }

  get pid(): number | null {
    return findMaster(this.place);
  }

  async open(options: Partial<HaproxyOptions> = {}): Promise<LoadBalancer<HaproxyService>> {
    const meter: Meter = {
      add: (name, labels) => this.counted.push(`${name} ${Object.values(labels).join()}`),
      set: () => {},
      observe: (name) => this.counted.push(name),
    };
    const balancer = createHaproxy({
      directory: this.directory,
      binary: this.place.binary,
      globalOptions: [],
      maxConnections: 1_000,
      clientTimeoutMs: 50_000,
      statsPath: null,
      statsMode: '600',
      meter,
      log: (level, message) => this.said.push(`${level} ${message}`),
      ...options,
    });
    this.#balancers.push(balancer);
    await balancer.open();
    return balancer;
  }

  reloads(): number {
    return this.counted.filter((entry) => entry === 'reactor_reload_seconds').length;
  }

  async backend(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<number> {
    return this.listen(createHttp(answer));
  }

  async listen(server: Server | TcpServer): Promise<number> {
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    for (const balancer of this.#balancers) await balancer.close();
    for (const server of this.#servers) {
      if ('closeAllConnections' in server) server.closeAllConnections();
      server.close();
    }
    const { pid } = this;
    if (pid !== null) {
      process.kill(pid, 'SIGTERM');
      await until(5_000, () => (this.pid === null ? true : null));
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** One request on a connection of its own. */
export function ask(
  port: number,
  options: { path?: string; method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { path = '/', method = 'GET', headers = {} } = options;
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

/** Waits until the question is answered with anything but null. */
export async function eventually<T>(question: () => Promise<T | null> | T | null, limitMs = 10_000): Promise<T> {
  const answer = await until(limitMs, question);
  if (answer === null) throw new Error('it did not happen in time');
  return answer;
}
