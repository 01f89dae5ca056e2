import { until } from '@reactor/testkit';
import { freePort, RedisServer } from './redis-server.js';

/** A master takes this long to be taken for dead; the least that a loaded test machine does not reach by itself. */
const NODE_TIMEOUT_MS = 2_000;
const AGREED_MS = 30_000;
const SLOTS = 16_384;
const MASTERS = 3;
const KEYS_AT_ONCE = '100';

/** Three masters and a replica of each: a real Redis cluster of this test alone. */
export class RedisCluster {
  private constructor(readonly servers: readonly RedisServer[]) {}

  static async start(): Promise<RedisCluster> {
    const servers: RedisServer[] = [];
    for (let n = 0; n < 2 * MASTERS; n += 1) {
      const settings = ['--cluster-enabled', 'yes', '--cluster-port', String(await freePort())];
      const quick = ['--cluster-node-timeout', String(NODE_TIMEOUT_MS), '--repl-diskless-sync-delay', '0', '--appendonly', 'yes'];
      servers.push(await RedisServer.start(...settings, ...quick));
    }
    const cluster = new RedisCluster(servers);
    await cluster.#join(servers.slice(0, MASTERS), servers.slice(MASTERS));
    return cluster;
  }

  /** Any of the nodes is enough to find the others. */
  get url(): string {
    return `redis+cluster://${this.servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  }

  /** The master that has the slot of the key, as the nodes that run see it; they may not agree for a while. */
  async holder(key: string): Promise<RedisServer> {
    const slot = await this.slot(key);
    for (const server of this.servers.filter(({ runs }) => runs)) {
      const ranges = (await server.command('CLUSTER', 'SLOTS')) as readonly [number, number, readonly [string, number]][];
      const range = ranges.find(([first, last]) => first <= slot && slot <= last);
      const found = this.servers.find(({ port }) => port === range?.[2][1]);
      if (found?.runs === true) return found;
    }
    throw new Error(`no node that runs has slot ${slot}`);
  }

  async slot(key: string): Promise<number> {
    const [server] = this.servers.filter(({ runs }) => runs);
    return Number(await server?.command('CLUSTER', 'KEYSLOT', key));
  }

  /** The masters that run and are not this one. */
  async otherMasters(than: RedisServer): Promise<readonly RedisServer[]> {
    const isMaster = await Promise.all(
      this.servers.map(
        async (server) => server.runs && server !== than && (await server.says('INFO', 'replication')).includes('role:master'),
      ),
    );
    return this.servers.filter((_, n) => isMaster[n]);
  }

  async replicasOf(master: RedisServer): Promise<readonly RedisServer[]> {
    const follows = await Promise.all(
      this.servers.map(
        async (server) => server.runs && (await server.says('INFO', 'replication')).includes(`master_port:${master.port}\r`),
      ),
    );
    return this.servers.filter((_, n) => follows[n]);
  }

  /** A command with a key, as the first of its words, on the master that has the key's slot. */
  async command(name: string, key: string, ...words: readonly string[]): Promise<unknown> {
    return (await this.holder(key)).command(name, key, ...words);
  }

  /** To every node that runs. */
  async tell(...words: readonly [string, ...string[]]): Promise<void> {
    for (const server of this.servers) if (server.runs) await server.command(...words);
  }

  /** As `redis-cli --cluster reshard` moves a slot; `meanwhile` is awaited when the slot is half on its way. */
  async migrate(slot: number, from: RedisServer, to: RedisServer, meanwhile: () => Promise<void>): Promise<void> {
    const place = String(slot);
    await this.beginMigration(slot, from, to);
    await meanwhile();
    for (;;) {
      const keys = (await from.command('CLUSTER', 'GETKEYSINSLOT', place, KEYS_AT_ONCE)) as readonly string[];
      if (keys.length === 0) break;
      await from.command('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...keys);
    }
    for (const node of [to, from]) await node.command('CLUSTER', 'SETSLOT', place, 'NODE', await to.id());
  }

  async beginMigration(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
    await to.command('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', await from.id());
    await from.command('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', await to.id());
  }

  /** How often nodes that run refused something with that code. */
  async refusals(code: string): Promise<number> {
    const counts = await Promise.all(
      this.servers
        .filter(({ runs }) => runs)
        .map(async (server) =>
          Number(new RegExp(`errorstat_${code}:count=(\\d+)`).exec(await server.says('INFO', 'errorstats'))?.[1] ?? 0),
        ),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Until every node that runs says so of the cluster. */
  async reaches(state: 'ok' | 'fail'): Promise<void> {
    await until(`every node calls the cluster ${state}`, AGREED_MS, async () => {
      const told = await Promise.all(this.servers.filter(({ runs }) => runs).map((server) => server.says('CLUSTER', 'INFO')));
      return told.every((text) => text.includes(`cluster_state:${state}`));
    });
  }

  /** Until every master has a replica that has caught up. */
  async isWhole(): Promise<void> {
    await this.reaches('ok');
    await until('every replica follows its master', AGREED_MS, async () => {
      const told = await Promise.all(this.servers.map((server) => server.says('INFO', 'replication')));
      return told.filter((text) => text.includes('master_link_status:up')).length === this.servers.length - MASTERS;
    });
  }

  async stop(): Promise<void> {
    for (const server of this.servers) await server.stop();
  }

  async #join(masters: readonly RedisServer[], replicas: readonly RedisServer[]): Promise<void> {
    const [first, ...others] = this.servers as readonly [RedisServer, ...RedisServer[]];
    for (const [n, master] of masters.entries()) {
      const [from, after] = [n, n + 1].map((part) => Math.round((part * SLOTS) / MASTERS));
      await master.command('CLUSTER', 'ADDSLOTSRANGE', String(from), String(Number(after) - 1));
    }
    for (const server of others) {
      const [, busPort] = (await server.command('CONFIG', 'GET', 'cluster-port')) as [string, string];
      await first.command('CLUSTER', 'MEET', '127.0.0.1', String(server.port), busPort);
    }
    await until('every node knows all others', AGREED_MS, async () => {
      const told = await Promise.all(this.servers.map((server) => server.says('CLUSTER', 'INFO')));
      return told.every((text) => text.includes(`cluster_known_nodes:${this.servers.length}`));
    });
    for (const [n, replica] of replicas.entries()) {
      const master = await masters[n]?.id();
      // It may not have heard yet that the other one is a master.
      await until('the replica is taken', AGREED_MS, () =>
        replica.command('CLUSTER', 'REPLICATE', master ?? '').then(
          () => true,
          () => false,
        ),
      );
    }
    await this.isWhole();
    await until('every node knows the replicas', AGREED_MS, async () => {
      const told = await Promise.all(this.servers.map((server) => server.says('CLUSTER', 'NODES')));
      return told.every((text) => text.match(/ (?:myself,)?slave /g)?.length === replicas.length);
    });
  }
}
