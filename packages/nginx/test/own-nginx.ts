import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { RequestListener, Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whyUnavailable } from '@reactor/agent';
import type { LoadBalancer } from '@reactor/core';
import { CountingMeter, LocalServers } from '@reactor/testkit';
import { createNginx, type NginxOptions } from '../src/index.js';
import { until } from '../src/process.js';
import { childrenOf, isMasterTitle, processes, titleOf } from '../src/workers.js';

/** A real nginx in a temporary directory, backends, and a client; `stop` ends what was started, by pid. */
export class OwnNginx {
  readonly directory = mkdtempSync(join(tmpdir(), 'nginx-'));
  readonly #meter = new CountingMeter();
  readonly said: string[] = [];
  readonly #balancers: LoadBalancer[] = [];
  readonly #servers = new LocalServers();

  constructor() {
    // nginx's workers run as another user and must pass.
    chmodSync(this.directory, 0o755);
  }

  get pid(): number {
    return Number(readFileSync(join(this.directory, 'nginx.pid'), 'latin1'));
  }

  async open(options: Partial<NginxOptions> = {}): Promise<LoadBalancer> {
    const balancer = createNginx({
      mode: { kind: 'own', directory: this.directory, user: null, workers: 2 },
      certificates: join(this.directory, 'certificates'),
      binary: '/usr/sbin/nginx',
      logLimitBytes: 64 * 1024 * 1024,
      connections: 512,
      portProblem: whyUnavailable,
      meter: this.#meter,
      log: (level, message) => this.said.push(`${level} ${message}`),
      ...options,
    });
    this.#balancers.push(balancer);
    await balancer.open();
    return balancer;
  }

  get counted(): string[] {
    return this.#meter.counted;
  }

  reloads(): number {
    return this.#meter.reloads();
  }

  /** Listens on a free port; each answer is `answer`'s. */
  backend(answer: RequestListener): Promise<{ readonly port: number; readonly server: Server }> {
    return this.#servers.http(answer);
  }

  async stop(): Promise<void> {
    for (const balancer of this.#balancers) await balancer.close();
    this.#servers.close();
    // By title, because a test may have left a pid file that names somebody else.
    for (const pid of processes().filter((one) => isMasterTitle(titleOf(one)) && titleOf(one)!.includes(`${this.directory}/`))) {
      const all = [pid, ...childrenOf(pid)];
      process.kill(pid, 'SIGTERM');
      await until(5_000, () => (all.some((one) => titleOf(one) !== null) ? null : true));
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
