import { mkdtempSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { whyUnavailable } from '@reactor/agent';
import type { HaproxyService, LoadBalancer } from '@reactor/core';
import { CountingMeter, LocalServers } from '@reactor/testkit';
import { createHaproxy, type HaproxyOptions } from '../src/index.js';
import { findMaster, type MasterPlace, until } from '../src/process.js';

/** A real haproxy in a temporary directory, backends, and a client; `stop` ends what was started, by pid. */
export class OwnHaproxy {
  readonly directory = mkdtempSync(join(tmpdir(), 'haproxy-'));
  readonly #meter = new CountingMeter();
  readonly said: string[] = [];
  readonly #balancers: LoadBalancer<HaproxyService>[] = [];
  readonly #servers = new LocalServers();

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
    const balancer = createHaproxy({
      directory: this.directory,
      binary: this.place.binary,
      globalOptions: [],
      maxConnections: 1_000,
      clientTimeoutMs: 50_000,
      statsPath: null,
      statsMode: '600',
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

  async backend(answer: RequestListener): Promise<number> {
    return (await this.#servers.http(answer)).port;
  }

  listen(server: Server): Promise<number> {
    return this.#servers.listen(server);
  }

  async stop(): Promise<void> {
    for (const balancer of this.#balancers) await balancer.close();
    this.#servers.close();
    const { pid } = this;
    if (pid !== null) {
      process.kill(pid, 'SIGTERM');
      await until(5_000, () => (this.pid === null ? true : null));
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
