import { execFileSync } from 'node:child_process';
import { until } from '../../packages/testkit/dist/until.js';
import { deploy } from './deployment.mjs';
import { figure } from './figure.mjs';

/** What a cluster at rest asks of its Redis. */

const MANY = { endpoints: 100, hosts: 100, firstPort: 9_000, countMs: 20_000, startMs: 240_000 };
const LIMIT_MS = 60_000;
const PINGS = 50_000;
const KEYS = '{reactor:default}';

/** Redis commands per round of the leader, by all daemons together, at rest; with many endpoints against with one. */
export async function manyEndpoints({ cluster, view, say }, instances) {
  const own = cluster.hosts.length;
  say(`Redis commands per round, with 1 endpoint and with ${MANY.endpoints}`);
  const few = await commandsAtRest(cluster, view);
  for (let i = 1; i < MANY.endpoints; i++) await deploy(cluster, `web${i}`, { port: MANY.firstPort + i, count: 1 });
  await until('all of them are served', MANY.startMs, async () => {
    const { address } = cluster.hosts[0];
    const last = await fetch(`http://${address}:${MANY.firstPort + MANY.endpoints - 1}/`);
    const ready = await cluster.hosts[0].get('/v1.1/hosts');
    return last.ok && ready.reduce((sum, host) => sum + host.instances, 0) === instances + MANY.endpoints - 1;
  });
  const many = await commandsAtRest(cluster, view);
  return [
    figure({
      id: 'P7',
      name: `Redis commands per round, ${own} hosts, ${MANY.endpoints} endpoints`,
      unit: 'commands',
      ours: many.perRound,
      peer: { name: 'with 1 endpoint', value: few.perRound },
      targets: [{ of: 'ratio', op: '<=', limit: 1.5 }],
    }),
    figure({
      id: 'P7',
      name: `Redis commands a second at rest, ${MANY.hosts} hosts, by what each of ${own} sends`,
      unit: 'commands',
      ours: (many.perSecond / own) * MANY.hosts,
      peer: { name: '`PING`s that this Redis answers a second', value: pingsPerSecond(cluster.redis) },
      targets: [{ of: 'ratio', op: '<=', limit: 0.1 }],
    }),
  ];
}

async function commandsAtRest({ redis }, view) {
  const leader = await view.leader();
  // Not those that our scripts call in Redis itself, which cost no round trip.
  const commands = async () => {
    const calls = (await redis.command('INFO', 'commandstats')).matchAll(
      /cmdstat_(evalsha|eval|xread|ping|hgetall):calls=(\d+)/g,
    );
    return [...calls].reduce((sum, [, , count]) => sum + Number(count), 0);
  };
  const rounds = async () => {
    const text = await (await leader.request('/metrics')).text();
    const counts = text.matchAll(/^reactor_rounds_total\{[^}]*result="(?:idle|planned|conflict)"[^}]*\} (\d+)/gm);
    return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  const before = [await commands(), await rounds()];
  await new Promise((resolve) => setTimeout(resolve, MANY.countMs));
  const after = [await commands(), await rounds()];
  const sent = after[0] - before[0];
  return { perRound: sent / (after[1] - before[1]), perSecond: (sent / MANY.countMs) * 1_000 };
}

function pingsPerSecond({ places: [{ address, port }] }) {
  const words = ['-h', address, '-p', String(port), '-n', String(PINGS), '-t', 'ping_mbulk', '--csv'];
  const line = execFileSync('redis-benchmark', words, { encoding: 'utf8', timeout: LIMIT_MS }).trim().split('\n').at(-1);
  return Number(/,"([\d.]+)"/.exec(line)[1]);
}

/** For how long the key would still be there if its owner died now, milliseconds, as Redis itself knows. */
export async function leaseLeft(redis, key) {
  const lease = await redis.command('HGET', `${KEYS}:leased`, key);
  const endsMs = Number(await redis.command('ZSCORE', `${KEYS}:leases`, lease));
  const [seconds, microseconds] = (await redis.command('TIME')).split('\n').map(Number);
  return endsMs - (seconds * 1000 + microseconds / 1000);
}
