import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { collect, run } from './command.js';
import { createHost, type Host } from './host.js';
import { createRedis, createRedisCluster, createSentinelGroup, type SharedRedis } from './shared-redis.js';

/**
 * Several hosts on this machine, as real as they can be without more machines: a switch in a network namespace of its
 * own (in the root's, Docker's firewall would drop what passes between hosts), a namespace with a cable per host, a
 * Docker engine and a reactord in each, and one Redis on the switch that all of them share. The caller gets a cable, too,
 * so tests reach every host by its address. Needs root; leaves nothing behind, whatever becomes of the caller.
 */
export interface Hosts {
  readonly hosts: readonly Host[];
  readonly image: string;
  readonly redis: SharedRedis;
  close(): Promise<void>;
}

export interface HostsOptions {
  /** What every host advertises; 1000 unless given. */
  readonly slots?: number;
  /** Seconds between the controller's rounds; 1 unless given. */
  readonly interval?: number;
  /**
   * One Redis beside the hosts unless given; `sentinel` puts a master, a replica and three Sentinels on them, `cluster` three
   * masters and a replica of each.
   */
  readonly state?: keyof typeof STATES;
  /** Loads trouble.mjs into the daemons, so that `Host.trouble` can do something. */
  readonly troubled?: boolean;
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const NEEDED = ['ip', 'nsenter', 'dockerd', 'docker', 'nginx', 'redis-server', 'redis-cli', 'iptables'];
/** Each cluster on this machine has a number: its addresses are 10.90.N.x. */
const MOST_CLUSTERS = 64;
const MOST_HOSTS = 20;
const IMAGE = 'pyex:latest';

type Place = Pick<Host, 'address'> & { readonly namespace: string };
const STATES = {
  redis: (_hosts: readonly Place[], directory: string, { namespace, address }: Place) =>
    createRedis(namespace, address, directory),
  sentinel: createSentinelGroup,
  cluster: createRedisCluster,
} as const;

/** Opens hosts vm1 to vmN, all daemons ready; the endpoints that serve the API itself are taken away. */
export async function openHosts(count: number, options: HostsOptions = {}): Promise<Hosts> {
  await requireMachine(count);
  const number = await claimNumber();
  const switchNamespace = switchName(number);
  const directory = mkdtempSync(`/tmp/reactor-hosts-${number}.`);
  const names = Array.from({ length: count }, (_, index) => `vm${index + 1}`);
  const namespaceOf = (name: string): string => `reactor-${number}-${name}`;
  const cgroup = `reactor-hosts-${number}`;
  const sweeper = startSweeper([directory, cgroup, switchNamespace, ...names.map(namespaceOf)]);
  const close = (): Promise<void> => sweeper.sweep();

  try {
    await run('chmod', ['755', directory]);
    const net = `10.90.${number}`;
    await buildSwitch(switchNamespace, net, number);
    const places = names.map((name, index) => ({ name, namespace: namespaceOf(name), address: `${net}.${11 + index}` }));
    await Promise.all(
      places.map(({ name, namespace, address }) => plugIn(namespace, switchNamespace, name, address, `${net}.2`)),
    );
    const redis = STATES[options.state ?? 'redis'](places, join(directory, 'redis'), {
      namespace: switchNamespace,
      address: `${net}.2`,
    });
    await redis.start();
    let key = '';
    const hosts = places.map((place, index) =>
      createHost({
        ...place,
        switchNamespace,
        bip: `172.${28 + (index % 4)}.${Math.floor(index / 4)}.1/24`,
        directory: join(directory, place.name),
        cgroup,
        state: redis.url,
        slots: options.slots ?? 1000,
        interval: options.interval ?? 1,
        troubled: options.troubled ?? false,
        key: () => key,
      }),
    );
    await Promise.all(hosts.map((host) => host.startDocker()));
    await spreadImage(hosts.map((host) => host.socket));
    // The first daemon makes the cluster's key and says it once; the others find it in the state.
    const [first, ...others] = hosts;
    await first!.start();
    key = /shown only now: (\S+)/.exec(first!.log())?.[1] ?? '';
    if (key === '') throw new Error(`reactord of vm1 told no API key:\n${first!.log()}`);
    await Promise.all(others.map((host) => host.start()));
    return { hosts, image: IMAGE, redis, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The same for the length of `use`; the hosts are gone afterwards, also when it fails. */
export async function withHosts<T>(count: number, use: (hosts: Hosts) => Promise<T>, options: HostsOptions = {}): Promise<T> {
  const opened = await openHosts(count, options);
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}

const switchName = (number: number): string => `reactor-${number}-switch`;

/** Fails with all that is missing; a test of real hosts that cannot run is no passed test. */
async function requireMachine(count: number): Promise<void> {
  const missing: string[] = [];
  if (process.getuid?.() !== 0) missing.push('root (network namespaces and Docker)');
  for (const program of NEEDED) {
    if ((await collect('sh', ['-c', `command -v ${program}`], { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` })).status !== 0)
      missing.push(program);
  }
  for (const bundle of ['packages/cli/dist/reactor.mjs', 'packages/daemon/dist/reactord.mjs']) {
    if (!existsSync(join(ROOT, bundle))) missing.push(`${bundle} (npm run build)`);
  }
  if (missing.length > 0) throw new Error(`no hosts on this machine without: ${missing.join(', ')}`);
  if (count < 1 || count > MOST_HOSTS) throw new Error(`${count} hosts: expected 1 to ${MOST_HOSTS}`);
}

/** Making the switch's namespace is the claim: only one caller succeeds with a name. */
async function claimNumber(): Promise<number> {
  for (let number = 0; number < MOST_CLUSTERS; number += 1) {
    if ((await collect('ip', ['netns', 'add', switchName(number)], {})).status === 0) return number;
  }
  throw new Error(`no free number: ${MOST_CLUSTERS} clusters of hosts are open, or network namespaces cannot be made here`);
}

async function buildSwitch(namespace: string, net: string, number: number): Promise<void> {
  await ip('-n', namespace, 'link', 'set', 'lo', 'up');
  await ip('-n', namespace, 'link', 'add', 'bridge', 'type', 'bridge');
  await ip('-n', namespace, 'addr', 'add', `${net}.2/24`, 'dev', 'bridge');
  await ip('-n', namespace, 'link', 'set', 'bridge', 'up');
  const cable = `reactor-${number}`;
  await ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'to-caller', 'netns', namespace);
  await ip('-n', namespace, 'link', 'set', 'to-caller', 'master', 'bridge', 'up');
  await ip('addr', 'add', `${net}.254/24`, 'dev', cable);
  await ip('link', 'set', cable, 'up');
}

async function plugIn(namespace: string, switchNamespace: string, name: string, address: string, gateway: string): Promise<void> {
  await ip('netns', 'add', namespace);
  await ip('-n', namespace, 'link', 'set', 'lo', 'up');
  await ip('-n', namespace, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', `to-${name}`, 'netns', switchNamespace);
  await ip('-n', switchNamespace, 'link', 'set', `to-${name}`, 'master', 'bridge', 'up');
  await ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
  await ip('-n', namespace, 'link', 'set', 'eth0', 'up');
  await ip('-n', namespace, 'route', 'add', 'default', 'via', gateway);
}

const ip = (...words: readonly string[]): Promise<string> => run('ip', words);

/** Made once and copied, so that it is the very same image everywhere. */
async function spreadImage([first, ...others]: readonly string[]): Promise<void> {
  await run(join(ROOT, 'scripts/pyex/make-image'), [first!]);
  await Promise.all(
    others.map((socket) =>
      run('bash', ['-o', 'pipefail', '-c', `docker -H unix://${first} save ${IMAGE} | docker -H unix://${socket} load`]),
    ),
  );
}

/** A process of its own that cleans up when its standard input ends: when asked to, and when the caller dies, however. */
function startSweeper(words: readonly string[]): { sweep(): Promise<void> } {
  const child = spawn(join(ROOT, 'packages/testkit/hosts-sweep'), words, {
    stdio: ['pipe', 'ignore', 'inherit'],
    detached: true,
  });
  const done = new Promise<void>((resolve, reject) => {
    child.once('exit', () => resolve());
    child.once('error', reject);
  });
  return {
    sweep: () => {
      child.stdin?.end();
      return done;
    },
  };
}
