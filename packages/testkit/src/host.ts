import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './command.js';
import { DECOY_CLUSTER } from './decoy.js';
import { type ListedContainer, listContainers } from './engine-listing.js';
import { createAccess, type HostAccess } from './host-access.js';
import { type CutDirection, createFirewall, type Place } from './host-firewall.js';
import { hasEnded, processesOf, signalAll, startInside } from './namespace-processes.js';
import { until } from './until.js';

/**
 * One host of several on this machine: a network namespace with a cable to the switch, a Docker engine, a reactord and
 * the nginx that reactord runs. All of it real; made and taken away by hosts.ts.
 */
export interface Host extends HostAccess {
  readonly name: string;
  readonly address: string;
  /** Where its load balancer answers on port 80. */
  readonly url: string;
  readonly api: string;
  readonly pid: () => number;
  /** Whether its reactord runs, stopped or not. */
  readonly running: () => boolean;
  /** Docker's command line on its engine. */
  docker(words: readonly string[]): Promise<string>;
  /** Ids of the endpoint's containers that run here, as the engine itself says; sorted. */
  containers(endpoint: string): Promise<readonly string[]>;
  log(): string;
  /** Starts its reactord and waits until it is ready. */
  start(): Promise<void>;
  /** SIGKILL, SIGSTOP, SIGCONT to its reactord; returns once a killed one has ended. */
  signal(signal: NodeJS.Signals): Promise<void>;
  signalDocker(signal: NodeJS.Signals): void;
  /** Its daemon's data_dir. */
  readonly data: string;
  /** Where its engine listens. */
  readonly socket: string;
  /** All containers of its engine. */
  listing(): Promise<readonly ListedContainer[]>;
  /** What it advertises; another number counts from the next start of its reactord. */
  readonly slots: () => number;
  setSlots(count: number): void;
  /** Troubles its reactord, see `HostsOptions.troubled`. A clock stays as it is set, also over the next starts. */
  trouble(what: Trouble): void;
  /** Pulls the cable. Nobody is told. */
  cut(): Promise<void>;
  /** Packets to or from these places vanish, both ways unless told otherwise; everything else passes. */
  cutFrom(places: readonly Place[], direction?: CutDirection): Promise<void>;
  /** Plugs the cable in, and lets all packets pass. */
  heal(): Promise<void>;
  /** Every process on it stops where it is and the cable is dead, as when a virtual machine is suspended. */
  suspend(): Promise<void>;
  resume(): Promise<void>;
  /** Everything on it ends at once, containers too, and the cable is dead. */
  powerOff(): Promise<void>;
  /** Empties the data directory of its reactord, which must not run. */
  wipe(): void;
  /** The engine and reactord start as after a boot; what was on the disk is still there. */
  powerOn(): Promise<void>;
}

export interface Trouble {
  /** How far its wall clock is off from now on; the machine's own is never touched. */
  readonly clockMs?: number;
  /** For so long nothing in it runs, while its sockets stay open. */
  readonly blockMs?: number;
}

export interface HostPlace {
  readonly name: string;
  readonly namespace: string;
  readonly switchNamespace: string;
  readonly address: string;
  /** Docker's own network on this host. */
  readonly bip: string;
  readonly directory: string;
  readonly cgroup: string;
  readonly state: string;
  readonly slots: number;
  /** Seconds between the controller's rounds. */
  readonly interval: number;
  readonly troubled: boolean;
  /** The key of the cluster's API; '' before the first daemon has made it. */
  readonly key: () => string;
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const DAEMON = join(ROOT, 'packages/daemon/dist/reactord.mjs');
const TROUBLE = join(ROOT, 'packages/testkit/trouble.mjs');
const API_PORT = 8080;
const START_MS = 30_000;
const GONE_MS = 10_000;

export function createHost(place: HostPlace): Host & { startDocker(): Promise<void> } {
  const { name, namespace, address, directory } = place;
  const socket = join(directory, 'docker.sock');
  const data = join(directory, 'data');
  const logFile = join(directory, 'reactord.log');
  const api = `http://${address}:${API_PORT}`;
  let daemon: ChildProcess | null = null;
  let dockerd: ChildProcess | null = null;

  let slots = place.slots;
  const configure = (): void =>
    writeFileSync(
      join(directory, 'reactor.conf'),
      `[manager]\nname=${name}\naddress=${address}\ndata_dir=${data}\nstate=${place.state}\ninterval=${place.interval}\n[api]\nlisten=${address}:${API_PORT}\n[cloud:docker]\nsocket=${socket}\nslots=${slots}\n`,
    );
  mkdirSync(data, { recursive: true });
  configure();
  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');

  const troubleFile = join(directory, 'trouble.json');
  const environment = place.troubled ? { NODE_OPTIONS: `--import=${TROUBLE}`, REACTOR_TEST_TROUBLE: troubleFile } : {};

  const docker = (words: readonly string[]): Promise<string> => run('docker', ['-H', `unix://${socket}`, ...words]);

  const startDocker = async (): Promise<void> => {
    const words = [`-H`, `unix://${socket}`, '--data-root', join(directory, 'docker'), '--exec-root', join(directory, 'exec')];
    const child = startInside(
      namespace,
      'dockerd',
      [
        ...words,
        '-p',
        join(directory, 'docker.pid'),
        '--bip',
        place.bip,
        '--cgroup-parent',
        `/${place.cgroup}`,
        '--live-restore',
      ],
      join(directory, 'dockerd.log'),
    );
    dockerd = child;
    await until(`dockerd of ${name} answers`, START_MS, async () => {
      if (child.exitCode !== null)
        throw new Error(`it ended: ${readFileSync(join(directory, 'dockerd.log'), 'utf8').slice(-1000)}`);
      return (await docker(['version', '--format', '{{.Server.Version}}'])) !== '';
    });
  };

  const start = async (): Promise<void> => {
    const child = startInside(namespace, DAEMON, ['--config', join(directory, 'reactor.conf')], logFile, environment);
    daemon = child;
    await until(`reactord of ${name} is ready`, START_MS, async () => {
      if (child.exitCode !== null) throw new Error(`it ended with status ${child.exitCode}:\n${log()}`);
      return (await fetch(`${api}/readyz`)).ok;
    });
  };
  const signal = async (which: NodeJS.Signals): Promise<void> => {
    if (daemon === null || hasEnded(daemon)) throw new Error(`reactord of ${name} does not run`);
    const child = daemon;
    child.kill(which);
    if (which === 'SIGKILL') await until(`reactord of ${name} has ended`, GONE_MS, () => hasEnded(child));
  };
  const trouble = (what: Trouble): void => {
    if (!place.troubled) throw new Error(`${name} was not opened to be troubled`);
    writeFileSync(troubleFile, JSON.stringify(what));
    if (daemon !== null && !hasEnded(daemon)) daemon.kill('SIGUSR2');
  };
  const link = (state: 'up' | 'down'): Promise<string> =>
    run('ip', ['-n', place.switchNamespace, 'link', 'set', `to-${name}`, state]);

  const powerOff = async (): Promise<void> => {
    await link('down');
    await until(`nothing runs on ${name}`, GONE_MS, async () => {
      const pids = await processesOf(namespace);
      signalAll(pids, 'SIGKILL');
      return pids.length === 0;
    });
  };
  const powerOn = async (): Promise<void> => {
    // What a boot finds empty: mounts, run files, Docker's bridge. The namespaces of the dead containers are still plugged
    // into it and answer for addresses that new containers get.
    for (const cable of await bridged(namespace)) await run('ip', ['-n', namespace, 'link', 'delete', cable]);
    await unmountBelow(join(directory, 'docker'));
    await unmountBelow(join(directory, 'exec'));
    for (const left of ['exec', 'docker.pid', 'docker.sock']) rmSync(join(directory, left), { recursive: true, force: true });
    await link('up');
    await startDocker();
    await start();
  };

  let suspended: readonly number[] = [];
  const suspend = async (): Promise<void> => {
    await link('down');
    suspended = await processesOf(namespace);
    signalAll(suspended, 'SIGSTOP');
  };
  const resume = async (): Promise<void> => {
    signalAll(suspended, 'SIGCONT');
    suspended = [];
    await link('up');
  };

  const firewall = createFirewall(namespace);

  return {
    name,
    address,
    url: `http://${address}/`,
    api,
    socket,
    pid: () => daemon?.pid ?? 0,
    running: () => daemon !== null && !hasEnded(daemon),
    startDocker,
    start,
    signal,
    signalDocker: (which) => void dockerd?.kill(which),
    docker,
    data,
    listing: async () => listContainers(socket),
    containers: async (endpoint) =>
      (await listContainers(socket))
        .filter(({ state, labels }) => state === 'running' && labels['reactor.endpoint'] === endpoint)
        .filter(({ labels }) => labels['reactor.cluster'] !== DECOY_CLUSTER)
        .map(({ id }) => id)
        .sort(),
    slots: () => slots,
    setSlots: (count) => {
      slots = count;
      configure();
    },
    ...createAccess(name, api, place.key),
    wipe: () => {
      rmSync(data, { recursive: true, force: true });
      mkdirSync(data);
    },
    log,
    trouble,
    cut: async () => void (await link('down')),
    cutFrom: firewall.drop,
    heal: async () => {
      await link('up');
      await firewall.clear();
    },
    suspend,
    resume,
    powerOff,
    powerOn,
  };
}

async function bridged(namespace: string): Promise<readonly string[]> {
  const links = await run('ip', ['-n', namespace, '-json', 'link', 'show', 'master', 'docker0']);
  return (JSON.parse(links) as readonly { readonly ifname: string }[]).map(({ ifname }) => ifname);
}

async function unmountBelow(directory: string): Promise<void> {
  const mounts = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts
    .filter((path) => path.startsWith(`${directory}/`))
    .sort()
    .reverse())
    await run('umount', ['-l', mount]);
}
