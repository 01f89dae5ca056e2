import { balancedMachines } from '../../packages/testkit/dist/balanced-backends.js';
import { openLedger } from '../../packages/testkit/dist/cluster-ledger.js';
import { viewOf } from '../../packages/testkit/dist/cluster-view.js';
import { openHosts } from '../../packages/testkit/dist/hosts.js';
import { until } from '../../packages/testkit/dist/until.js';
import { deploy, UNKNOWN_MS } from './deployment.mjs';
import { figure } from './figure.mjs';
import { lost, startClients } from './load-on-hosts.mjs';
import { leaseLeft, manyEndpoints } from './redis-commands.mjs';
import { makeWebImage } from './web-image.mjs';

/** What a fault costs on three real hosts: in time, against the lease that has to end first, and in requests, at a steady load. */

const HOSTS = 3;
const INSTANCES = 12;
const OUTAGE_MS = 60_000;
const PARTITION_MS = 20_000;
/** Part of how an emptied state is restored. */
const OFFERS_MS = 5_000;
const LIMIT_MS = 60_000;

export async function measure(say) {
  return [...(await onHosts({ state: 'sentinel' }, say, sentinels)), ...(await onHosts({}, say, oneRedis))];
}

async function onHosts(options, say, work) {
  const cluster = await openHosts(HOSTS, options);
  try {
    for (const { socket } of cluster.hosts) makeWebImage(socket);
    const view = viewOf(cluster);
    await cluster.hosts[0].reactor(['unmanage', 'apihttp']);
    await deploy(cluster, 'web', { port: 80, count: INSTANCES });
    await view.settled('web', INSTANCES);
    for (const host of cluster.hosts) await until(`${host.name} serves`, LIMIT_MS, async () => (await fetch(host.url)).ok);
    return await work({ cluster, view, say });
  } finally {
    await cluster.close();
  }
}

async function oneRedis(hosts) {
  // Looks at the engines all the while: what they say counts, not what the cluster believes.
  const stage = { ...hosts, ledger: await openLedger(hosts.cluster, 'web') };
  try {
    return [...(await faults(stage)), ...(await audited(stage))];
  } finally {
    await stage.ledger.close();
  }
}

async function faults(stage) {
  const figures = [];
  figures.push(...(await rollingRestart(stage)));
  figures.push(...(await leaderKilled(stage)));
  figures.push(...(await hostDies(stage)));
  figures.push(...(await partition(stage)));
  figures.push(...(await redisAway(stage)));
  figures.push(...(await emptied(stage)));
  figures.push(...(await manyEndpoints(stage, INSTANCES)));
  return figures;
}

async function rollingRestart({ cluster, view, say }) {
  say('every daemon in turn is ended and started');
  const load = await startClients(cluster.hosts);
  for (const host of cluster.hosts) {
    await host.signal('SIGTERM');
    await until('it has ended', LIMIT_MS, () => !host.running());
    await host.start();
  }
  await view.whole();
  return [lost('rolling restart of all daemons', await load.stop())];
}

async function leaderKilled({ cluster, view, say }) {
  say('kill -9 of the leader');
  const load = await startClients(cluster.hosts);
  const killed = await view.leader();
  const [asked] = view.others(killed);
  const leaseMs = await leaseLeft(cluster.redis, 'controller/leader');
  const startedMs = performance.now();
  await killed.signal('SIGKILL');
  await until('another leads', LIMIT_MS, async () => ![undefined, killed].includes(await view.leader(asked)));
  const tookMs = performance.now() - startedMs;
  await killed.start();
  await view.whole(asked);
  await view.settled('web', INSTANCES, asked);
  return [
    figure({
      id: 'F1',
      name: 'leader killed to the next one leading',
      unit: 'ms',
      ours: tookMs,
      peer: { name: 'what its lease still lasted', value: leaseMs },
      targets: [{ of: 'ours', op: '<=', limit: 25_000 }],
    }),
    lost('kill -9 of the leader', await load.stop()),
  ];
}

async function hostDies({ cluster, view, say, ledger }) {
  say('power-off of a host');
  const dead = await view.leader();
  const rest = view.others(dead);
  // Those that replace what the dead host ran are there before it is back and drops its own.
  ledger.allow({ surge: (await dead.containers('web')).length });
  const load = await startClients(rest);
  const leaseMs = await leaseLeft(cluster.redis, `hosts/${dead.name}`);
  const startedMs = performance.now();
  await dead.powerOff();
  await ledger.excuse(dead);
  const out = () => rest.every(({ data }) => !balancedMachines(data).includes(dead.address));
  await until('no load balancer sends anything there', LIMIT_MS, out);
  const outMs = performance.now() - startedMs;
  await until('its instances are replaced', LIMIT_MS, async () => {
    const ready = await view.ready('web', rest[0]);
    return ready.filter(({ host }) => host !== dead.name).length === INSTANCES;
  });
  const replacedMs = performance.now() - startedMs;
  const failures = lost('power-off of a host, through the others', await load.stop());
  await dead.powerOn();
  await view.whole(rest[0]);
  await view.settled('web', INSTANCES, rest[0]);
  ledger.allow({});
  return [
    figure({
      id: 'F6',
      name: 'host dead to out of every load balancer',
      unit: 'ms',
      ours: outMs,
      peer: { name: 'what its lease still lasted', value: leaseMs },
      targets: [{ of: 'ours', op: '<=', limit: 25_000 }],
    }),
    figure({
      id: 'F6',
      name: 'host dead to all its instances replaced',
      unit: 'ms',
      ours: replacedMs,
      peer: { name: `lease and ${UNKNOWN_MS / 1000} s of unknown_timeout`, value: leaseMs + UNKNOWN_MS },
      targets: [{ of: 'ours', op: '<=', limit: 35_000 }],
    }),
    failures,
  ];
}

async function partition({ cluster, view, say, ledger }) {
  say(`a host cut off from the state for ${PARTITION_MS / 1000} s`);
  const [host, other] = cluster.hosts;
  // Cut off for longer than unknown_timeout, it goes on serving what is replaced meanwhile.
  ledger.allow({ surge: (await host.containers('web')).length });
  await host.cutFrom(cluster.redis.places);
  await new Promise((resolve) => setTimeout(resolve, PARTITION_MS));
  await host.heal();
  const startedMs = performance.now();
  const wish = (on) => host.reactor(['scale', `web=${on ? INSTANCES : 'auto'}`]);
  await until('a write succeeds', LIMIT_MS, () => wish(true).then(() => true));
  const tookMs = performance.now() - startedMs;
  await wish(false);
  await view.whole(other);
  await view.settled('web', INSTANCES, other);
  ledger.allow({});
  // The same command where nothing was cut: most of it is the start of a process.
  const calmMs = performance.now();
  await wish(true);
  const bareMs = performance.now() - calmMs;
  await wish(false);
  return [
    figure({
      id: 'F14',
      name: 'cut from the state healed to the first write through it',
      unit: 'ms',
      ours: tookMs,
      peer: { name: 'the same write, nothing cut', value: bareMs },
      targets: [{ of: 'ours', op: '<=', limit: 6_000 }],
    }),
  ];
}

async function redisAway({ cluster, view, say }) {
  say(`Redis killed for ${OUTAGE_MS / 1000} s`);
  const load = await startClients(cluster.hosts);
  await cluster.redis.kill();
  await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
  await cluster.redis.start();
  await view.whole();
  await view.settled('web', INSTANCES);
  return [lost(`Redis killed for ${OUTAGE_MS / 1000} s`, await load.stop())];
}

async function emptied({ cluster, view, say }) {
  say('FLUSHALL');
  const load = await startClients(cluster.hosts);
  await cluster.redis.command('FLUSHALL');
  const startedMs = performance.now();
  await view.whole();
  await view.settled('web', INSTANCES);
  const tookMs = performance.now() - startedMs;
  return [
    figure({
      id: 'F10',
      name: 'Redis emptied to every instance known again',
      unit: 'ms',
      ours: tookMs,
      peer: { name: 'for which the copies of other hosts are waited for', value: OFFERS_MS },
      targets: [{ of: 'ours', op: '<=', limit: 10_000 }],
    }),
    lost('Redis emptied', await load.stop()),
  ];
}

/** All that the auditor of the tests looks for: among it more instances than max_instances, and more slots in use than a host has. */
async function audited({ ledger, say }) {
  const violations = await ledger.violations();
  for (const line of violations) say(line);
  return [
    figure({
      id: 'F',
      name: 'limits and rules broken in all of this, as the engines say',
      unit: 'times',
      ours: violations.length,
      peer: { name: 'looked', value: ledger.looks() },
      targets: [{ of: 'ours', op: '<=', limit: 0 }],
    }),
  ];
}

async function sentinels({ cluster, view, say }) {
  say('failover by Sentinel');
  const load = await startClients(cluster.hosts);
  const [host] = cluster.hosts;
  await cluster.redis.kill();
  const startedMs = performance.now();
  const named = until(
    'Sentinel names another master',
    LIMIT_MS,
    async () => (await cluster.redis.command('PING')) === 'PONG',
  ).then(() => performance.now() - startedMs);
  await until('a write succeeds', LIMIT_MS, () => host.reactor(['scale', `web=${INSTANCES}`]).then(() => true));
  const tookMs = performance.now() - startedMs;
  const failoverMs = await named;
  await host.reactor(['scale', 'web=auto']);
  await view.whole();
  await view.settled('web', INSTANCES);
  return [
    figure({
      id: 'F13',
      name: 'master killed to the first write through Reactor',
      unit: 'ms',
      ours: tookMs,
      peer: { name: 'until Sentinel named another master', value: failoverMs },
      targets: [{ of: 'ours', op: '<=', limit: 8_000 }],
    }),
    lost('failover by Sentinel', await load.stop()),
  ];
}
