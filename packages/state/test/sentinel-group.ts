import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '@reactor/testkit';
import { Redis } from 'ioredis';
import { freePort, RedisServer } from './redis-server.js';

/** A master takes this long to be taken for dead; the least that a loaded test machine does not reach by itself. */
const DOWN_AFTER_MS = 1_500;
const QUORUM = 2;

/** A master, its replicas and three sentinels, all real and of this test alone. */
export class SentinelGroup {
  private constructor(
    readonly servers: readonly RedisServer[],
    private readonly sentinels: readonly ChildProcess[],
    private readonly ports: readonly number[],
    private readonly directory: string,
  ) {}

  static async start(replicas: number): Promise<SentinelGroup> {
    const common = ['--appendonly', 'yes', '--repl-diskless-sync-delay', '0', '--repl-timeout', '5'];
    const master = await RedisServer.start(...common);
    const servers = [master];
    for (let n = 0; n < replicas; n += 1) {
      servers.push(await RedisServer.start(...common, '--replicaof', `127.0.0.1 ${master.port}`));
    }
    await until('the replicas follow', 20_000, async () =>
      String(await master.command('INFO', 'replication')).includes(`connected_slaves:${replicas}`),
    );
    const directory = mkdtempSync(join(tmpdir(), 'reactor-sentinel-'));
    const ports = [await freePort(), await freePort(), await freePort()];
    const sentinels = ports.map((port) => {
      const file = join(directory, `${port}.conf`);
      writeFileSync(
        file,
        [
          `port ${port}`,
          'bind 127.0.0.1',
          `dir ${directory}`,
          `sentinel monitor reactor 127.0.0.1 ${master.port} ${QUORUM}`,
          `sentinel down-after-milliseconds reactor ${DOWN_AFTER_MS}`,
          'sentinel failover-timeout reactor 10000',
          '',
        ].join('\n'),
      );
      return spawn('redis-sentinel', [file], { stdio: 'ignore' });
    });
    const group = new SentinelGroup(servers, sentinels, ports, directory);
    await until('the sentinels know each other and the replicas', 30_000, () => group.#isWatched(replicas));
    return group;
  }

  get url(): string {
    return `redis+sentinel://${this.ports.map((port) => `127.0.0.1:${port}`).join(',')}/reactor`;
  }

  /** Whom the first sentinel takes for the master now. */
  async master(): Promise<RedisServer> {
    const [, port] = (await ask(this.ports[0], 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'reactor')) as readonly string[];
    const found = this.servers.find((server) => server.port === Number(port));
    if (found === undefined) throw new Error(`no server has the port ${port}`);
    return found;
  }

  async stop(): Promise<void> {
    for (const sentinel of this.sentinels) {
      if (sentinel.exitCode !== null) continue;
      const ended = once(sentinel, 'exit');
      sentinel.kill('SIGKILL');
      await ended;
    }
    for (const server of this.servers) await server.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #isWatched(replicas: number): Promise<boolean> {
    for (const port of this.ports) {
      const reply = await ask(port, 'SENTINEL', 'MASTER', 'reactor').catch(() => null);
      if (!Array.isArray(reply)) return false;
      const field = (name: string): unknown => reply[reply.indexOf(name) + 1];
      if (Number(field('num-other-sentinels')) !== this.ports.length - 1 || Number(field('num-slaves')) !== replicas)
        return false;
    }
    return true;
  }
}

async function ask(port: number | undefined, name: string, ...args: readonly string[]): Promise<unknown> {
  const client = new Redis(port ?? 0, '127.0.0.1', { protocol: 2, enableReadyCheck: false, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    return await client.call(name, ...args);
  } finally {
    client.disconnect();
  }
}
