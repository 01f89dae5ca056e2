import type { ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { collect, run } from './command.js';
import { hasEnded, startInside } from './namespace-processes.js';
import { until } from './until.js';

/** The Redis that the hosts of a cluster share: one server, a master with a replica that Sentinels watch, or a Redis cluster. */
export interface SharedRedis {
  /** As `state` in reactor.conf. */
  readonly url: string;
  /** Where its servers and Sentinels listen, for those who cut hosts off from them. */
  readonly places: readonly RedisPlace[];
  /** Starts what does not run, and waits until the master answers. */
  start(): Promise<void>;
  /** Which of the places is the master now, in a Redis cluster the one with the slot of the state. */
  master(): Promise<RedisPlace>;
  /** SIGKILL to the master; what was answered is on its disk. */
  kill(): Promise<void>;
  /** `redis-cli WORDS` on the master of this moment. */
  command(...words: readonly string[]): Promise<string>;
  /** Keeps a copy of what is on the master's disk now. */
  keepDump(): Promise<void>;
  /** Ends the server and starts it on the kept copy: a restored backup. Only without Sentinels. */
  restoreDump(): Promise<void>;
}

export interface RedisPlace {
  readonly address: string;
  readonly port: number;
}

interface Server extends RedisPlace {
  readonly directory: string;
  readonly runs: () => boolean;
  start(words?: readonly string[]): Promise<void>;
  kill(): Promise<void>;
}

const PORT = 6379;
const REPLICA_PORT = 6380;
const SENTINEL_PORT = 26_379;
const MASTER = 'reactor';
const QUORUM = 2;
/** Quick, for a test; the time-outs that follow from it are Sentinel's own. */
const DOWN_AFTER_MS = 2_000;
const FAILOVER_MS = 6_000;
const CLUSTERED = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(DOWN_AFTER_MS)];
/** One of those the state has, which share a slot. */
const STATE_KEY = '{reactor:default}:moment';
const ANSWER_MS = 10_000;
const ASK_SECONDS = 3;
/** Sentinel's, with a machine that has much else to do. */
const ELECTION_MS = 30_000;
/** On disk before it is answered, as a state wants to be kept. */
const DURABLE = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always'];

/** One server in a namespace, listening on `address`. */
export function createRedis(namespace: string, address: string, directory: string): SharedRedis {
  const server = createServer(namespace, address, directory);
  const kept = `${directory}.kept`;
  return {
    url: `redis://${address}:${PORT}`,
    places: [server],
    start: () => server.start(),
    master: async () => server,
    kill: () => server.kill(),
    command: (...words) => ask(server, ...words),
    keepDump: async () => {
      rmSync(kept, { recursive: true, force: true });
      cpSync(join(directory, 'appendonlydir'), kept, { recursive: true });
    },
    restoreDump: async () => {
      await server.kill();
      rmSync(join(directory, 'appendonlydir'), { recursive: true, force: true });
      cpSync(kept, join(directory, 'appendonlydir'), { recursive: true });
      await server.start();
    },
  };
}

/** A master on the first host, a replica on the second, a Sentinel on each of the hosts; needs three. */
export function createSentinelGroup(
  hosts: readonly { readonly namespace: string; readonly address: string }[],
  directory: string,
): SharedRedis {
  if (hosts.length < 3) throw new Error(`a group of Sentinels needs 3 hosts, got ${hosts.length}`);
  mkdirSync(directory);
  const servers = hosts
    .slice(0, 2)
    .map(({ namespace, address }) => createServer(namespace, address, join(directory, `redis-${address}`)));
  const [first, second] = servers as [Server, Server];
  const sentinels = hosts.map((host) => createSentinel(host, first.address, join(directory, `sentinel-${host.address}`)));
  let known: RedisPlace = first;

  const master = async (): Promise<Server> => {
    for (const sentinel of sentinels.filter(({ runs }) => runs())) {
      const { status, stdout } = await tryAsk(sentinel, 'SENTINEL', 'get-master-addr-by-name', MASTER);
      const named = servers.find(({ address }) => address === stdout.split('\n')[0]?.trim());
      if (status === 0 && named !== undefined) return named;
    }
    throw new Error('no Sentinel knows the master');
  };
  const command = async (...words: readonly string[]): Promise<string> => {
    try {
      return await ask(known, ...words);
    } catch {
      known = await master();
      return ask(known, ...words);
    }
  };
  const start = async (): Promise<void> => {
    const fresh = sentinels.every(({ runs }) => !runs());
    // One that comes back is no master any more; Sentinel tells it whose replica it is.
    await Promise.all(servers.filter(({ runs }) => !runs()).map((server) => server.start()));
    if (fresh) await ask(second, 'REPLICAOF', first.address, String(PORT));
    await Promise.all(sentinels.filter(({ runs }) => !runs()).map((sentinel) => sentinel.start()));
    await until('the Sentinels know the master, its replica and each other', ELECTION_MS, async () => {
      const told = await Promise.all(sentinels.map((sentinel) => ask(sentinel, 'SENTINEL', 'MASTER', MASTER)));
      return told.every(
        (text) => /\nnum-slaves\n[1-9]/.test(text) && new RegExp(`\nnum-other-sentinels\n${hosts.length - 1}`).test(text),
      );
    });
    known = await master();
    // A replica that is made master before it has taken over everything would lose what was answered.
    await until('the replica has all that the master has', ELECTION_MS, async () => {
      const told = await Promise.all(servers.map((server) => ask(server, 'INFO', 'replication')));
      return told.some((text) => text.includes('master_link_status:up'));
    });
  };
  return {
    url: `redis+sentinel://${sentinels.map(({ address, port }) => `${address}:${port}`).join(',')}/${MASTER}/0`,
    places: [...servers, ...sentinels],
    start,
    master,
    kill: async () => (await master()).kill(),
    command,
    keepDump: onlyOne,
    restoreDump: onlyOne,
  };
}

/** Three masters on three hosts, and on each a replica of another host's master. */
export function createRedisCluster(
  hosts: readonly { readonly namespace: string; readonly address: string }[],
  directory: string,
): SharedRedis {
  if (hosts.length < 3) throw new Error(`a Redis cluster needs 3 hosts, got ${hosts.length}`);
  mkdirSync(directory);
  const servers = [PORT, REPLICA_PORT].flatMap((port) =>
    hosts
      .slice(0, 3)
      .map(({ namespace, address }) =>
        createServer(namespace, address, join(directory, `redis-${address}-${port}`), port, CLUSTERED),
      ),
  );
  let isJoined = false;

  const master = async (): Promise<Server> => {
    for (const asked of servers.filter(({ runs }) => runs())) {
      const slot = Number((await tryAsk(asked, 'CLUSTER', 'KEYSLOT', STATE_KEY)).stdout);
      const { status, stdout } = await tryAsk(asked, 'CLUSTER', 'NODES');
      const line = stdout.split('\n').find((each) => /\bmaster - /.test(each) && holds(each, slot));
      const named = servers.find(({ address, port }) => line?.includes(` ${address}:${port}@`));
      if (status === 0 && named !== undefined) return named;
    }
    throw new Error('no node knows the master of the state');
  };
  return {
    url: `redis+cluster://${servers.map(({ address, port }) => `${address}:${port}`).join(',')}`,
    places: servers,
    start: async () => {
      await Promise.all(servers.filter(({ runs }) => !runs()).map((server) => server.start()));
      const places = servers.map(({ address, port }) => `${address}:${port}`);
      if (!isJoined) {
        await run('redis-cli', ['--cluster', 'create', ...places, '--cluster-replicas', '1', '--cluster-yes']);
      }
      isJoined = true;
      await until('the cluster serves, and every replica has all that its master has', ELECTION_MS, async () => {
        const told = await Promise.all(servers.map((server) => ask(server, 'INFO', 'replication')));
        const info = await Promise.all(servers.map((server) => ask(server, 'CLUSTER', 'INFO')));
        return (
          info.every((text) => text.includes('cluster_state:ok')) &&
          told.filter((text) => text.includes('master_link_status:up')).length === servers.length / 2
        );
      });
    },
    master,
    kill: async () => (await master()).kill(),
    command: async (...words) => ask(await master(), ...words),
    keepDump: onlyOne,
    restoreDump: onlyOne,
  };
}

/** Whether a line of CLUSTER NODES ends with a range that the slot is in. */
function holds(line: string, slot: number): boolean {
  const ranges = line.trim().split(' ').slice(8);
  return ranges.some((range) => {
    const [first = '', last = first] = range.split('-');
    return Number(first) <= slot && slot <= Number(last);
  });
}

const onlyOne = async (): Promise<never> => {
  throw new Error('a dump is kept and restored of a single server only');
};

function createServer(
  namespace: string,
  address: string,
  directory: string,
  port = PORT,
  settings: readonly string[] = [],
): Server {
  const listen = ['--bind', address, '--port', String(port), '--protected-mode', 'no', '--dir', directory];
  const words = [...listen, ...DURABLE, ...settings];
  return program({ namespace, address, port, directory, file: 'redis-server', words });
}

function createSentinel(
  host: { readonly namespace: string; readonly address: string },
  master: string,
  directory: string,
): Server {
  const configuration = join(directory, 'sentinel.conf');
  mkdirSync(directory);
  writeFileSync(
    configuration,
    [
      `bind ${host.address}`,
      `port ${SENTINEL_PORT}`,
      'protected-mode no',
      `dir ${directory}`,
      `sentinel monitor ${MASTER} ${master} ${PORT} ${QUORUM}`,
      `sentinel down-after-milliseconds ${MASTER} ${DOWN_AFTER_MS}`,
      `sentinel failover-timeout ${MASTER} ${FAILOVER_MS}`,
      '',
    ].join('\n'),
  );
  return program({ ...host, port: SENTINEL_PORT, directory, file: 'redis-server', words: [configuration, '--sentinel'] });
}

function program(
  place: RedisPlace & {
    readonly namespace: string;
    readonly directory: string;
    readonly file: string;
    readonly words: readonly string[];
  },
): Server {
  const { address, port, directory } = place;
  if (!existsSync(directory)) mkdirSync(directory);
  let child: ChildProcess | null = null;
  const start = async (): Promise<void> => {
    const started = startInside(place.namespace, place.file, place.words, join(directory, 'output.log'));
    child = started;
    await until(`redis at ${address}:${port} answers`, ANSWER_MS, async () => {
      if (hasEnded(started)) throw new Error(`it ended, see ${directory}`);
      return (await ask({ address, port }, 'PING')) === 'PONG';
    });
  };
  const kill = async (): Promise<void> => {
    const running = child;
    running?.kill('SIGKILL');
    await until('redis has ended', ANSWER_MS, () => running === null || hasEnded(running));
  };
  return { address, port, directory, start, kill, runs: () => child !== null && !hasEnded(child) };
}

/** One that is stopped or cut off would never answer. `-e`: a refusal is a failure, too. */
const cliWords = ({ address, port }: RedisPlace, words: readonly string[]): readonly string[] => [
  String(ASK_SECONDS),
  'redis-cli',
  '-e',
  '-h',
  address,
  '-p',
  String(port),
  ...words,
];

const tryAsk = (place: RedisPlace, ...words: readonly string[]): Promise<{ readonly status: number; readonly stdout: string }> =>
  collect('timeout', cliWords(place, words), {});

const ask = async (place: RedisPlace, ...words: readonly string[]): Promise<string> =>
  (await run('timeout', cliWords(place, words))).trim();
