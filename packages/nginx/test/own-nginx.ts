import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttp, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LoadBalancer, Meter } from '@reactor/core';
import { createNginx, type NginxOptions } from '../src/index.js';
import { until } from '../src/process.js';
import { childrenOf, isMasterTitle, processes, titleOf } from '../src/workers.js';

/** A real nginx in a temporary directory, backends, and a client; `stop` ends what was started, by pid. */
export class OwnNginx {
  readonly directory = mkdtempSync(join(tmpdir(), 'nginx-'));
  readonly counted: string[] = [];
  readonly said: string[] = [];
  readonly #balancers: LoadBalancer[] = [];
  readonly #servers: Server[] = [];

  constructor() {
    // nginx's workers run as another user and must pass.
    chmodSync(this.directory, 0o755);
  }

  get pid(): number {
    return Number(readFileSync(join(this.directory, 'nginx.pid'), 'latin1'));
  }

  async open(options: Partial<NginxOptions> = {}): Promise<LoadBalancer> {
    const meter: Meter = {
      add: (name, labels) => this.counted.push(`${name} ${Object.values(labels).join()}`),
      set: () => {},
      observe: (name) => this.counted.push(name),
    };
    const balancer = createNginx({
      mode: { kind: 'own', directory: this.directory, user: null, workers: 2 },
      certificates: join(this.directory, 'certificates'),
      binary: '/usr/sbin/nginx',
      logLimitBytes: 64 * 1024 * 1024,
      connections: 512,
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

  /** Listens on a free port; each answer is `answer`'s. */
  async backend(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<{ port: number; server: Server }> {
    const server = createHttp(answer);
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return { port: (server.address() as AddressInfo).port, server };
  }

  async stop(): Promise<void> {
    for (const balancer of this.#balancers) await balancer.close();
    for (const server of this.#servers) {
      server.closeAllConnections();
      server.close();
    }
    // By title, because a test may have left a pid file that names somebody else.
    for (const pid of processes().filter((one) => isMasterTitle(titleOf(one)) && titleOf(one)!.includes(`${this.directory}/`))) {
      const all = [pid, ...childrenOf(pid)];
      process.kill(pid, 'SIGTERM');
      await until(5_000, () => (all.some((one) => titleOf(one) !== null) ? null : true));
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
  options: { path?: string; method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { path = '/', method = 'GET', headers = {}, body } = options;
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Waits until the question is answered with anything but null. */
export async function eventually<T>(question: () => Promise<T | null>, limitMs = 10_000): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const answer = await question();
    if (answer !== null) return answer;
    if (performance.now() > deadline) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
