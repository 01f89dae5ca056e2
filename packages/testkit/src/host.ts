import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { collect, run } from './command.js';
import { until } from './until.js';

/**
 * One host of several on this machine: a network namespace with a cable to the switch, a Docker engine, a reactord and
 * the nginx that reactord runs. All of it real; made and taken away by hosts.ts.
 */
export interface Host {
  readonly name: string;
  readonly address: string;
  /** Where its load balancer answers on port 80. */
  readonly url: string;
  readonly api: string;
  readonly pid: () => number;
  /** Runs `reactor WORDS` against its daemon, fails with its output unless it ends with status 0. */
  reactor(words: readonly string[], input?: string): Promise<string>;
  /** Docker's command line on its engine. */
  docker(words: readonly string[]): Promise<string>;
  /** Ids of the endpoint's containers that run here, as the engine itself says; sorted. */
  containers(endpoint: string): Promise<readonly string[]>;
  get<T>(path: string): Promise<T>;
  log(): string;
  /** Starts its reactord and waits until it is ready. */
  start(): Promise<void>;
  /** SIGKILL, SIGSTOP, SIGCONT to its reactord; returns once a killed one has ended. */
  signal(signal: NodeJS.Signals): Promise<void>;
  signalDocker(signal: NodeJS.Signals): void;
  /** Pulls the cable, and plugs it in again. Nobody is told. */
  cut(): Promise<void>;
  heal(): Promise<void>;
  /** Everything on it ends at once, containers too, and the cable is dead. */
  powerOff(): Promise<void>;
  /** The engine and reactord start as after a boot; what was on the disk is still there. */
  powerOn(): Promise<void>;
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
  /** The key of the cluster's API; '' before the first daemon has made it. */
  readonly key: () => string;
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CLI = join(ROOT, 'packages/cli/dist/reactor.mjs');
const DAEMON = join(ROOT, 'packages/daemon/dist/reactord.mjs');
const API_PORT = 8080;
const START_MS = 30_000;
const GONE_MS = 10_000;

export function createHost(place: HostPlace): Host & { startDocker(): Promise<void>; readonly socket: string } {
  const { name, namespace, address, directory } = place;
  const socket = join(directory, 'docker.sock');
  const data = join(directory, 'data');
  const logFile = join(directory, 'reactord.log');
  const api = `http://${address}:${API_PORT}`;
  let daemon: ChildProcess | null = null;
  let dockerd: ChildProcess | null = null;

  mkdirSync(data, { recursive: true });
  writeFileSync(
    join(directory, 'reactor.conf'),
    `[manager]\nname=${name}\naddress=${address}\ndata_dir=${data}\nstate=${place.state}\ninterval=${place.interval}\n[api]\nlisten=${address}:${API_PORT}\n[cloud:docker]\nsocket=${socket}\nslots=${place.slots}\n`,
  );
  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');

  /** Not `ip netns exec`, which mounts /sys anew and so hides the cgroups from dockerd. In a session of its own: no signal meant for the test reaches it. */
  const inside = (file: string, words: readonly string[], output: string): ChildProcess => {
    const sink = openSync(output, 'a');
    const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, file, ...words], {
      stdio: ['ignore', sink, sink],
      detached: true,
    });
    closeSync(sink);
    return child;
  };

  const docker = (words: readonly string[]): Promise<string> => run('docker', ['-H', `unix://${socket}`, ...words]);

  const startDocker = async (): Promise<void> => {
    const words = [`-H`, `unix://${socket}`, '--data-root', join(directory, 'docker'), '--exec-root', join(directory, 'exec')];
    const child = inside(
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
    const child = inside(DAEMON, ['--config', join(directory, 'reactor.conf')], logFile);
    daemon = child;
    await until(`reactord of ${name} is ready`, START_MS, async () => {
      if (child.exitCode !== null) throw new Error(`it ended with status ${child.exitCode}:\n${log()}`);
      return (await fetch(`${api}/readyz`)).ok;
    });
  };
  const signal = async (which: NodeJS.Signals): Promise<void> => {
    if (daemon === null || ended(daemon)) throw new Error(`reactord of ${name} does not run`);
    const child = daemon;
    child.kill(which);
    if (which === 'SIGKILL') await until(`reactord of ${name} has ended`, GONE_MS, () => ended(child));
  };
  const link = (state: 'up' | 'down'): Promise<string> =>
    run('ip', ['-n', place.switchNamespace, 'link', 'set', `to-${name}`, state]);

  const powerOff = async (): Promise<void> => {
    await link('down');
    await until(`nothing runs on ${name}`, GONE_MS, async () => {
      const pids = await processesOf(namespace);
      for (const pid of pids) kill(pid);
      return pids.length === 0;
    });
  };
  const powerOn = async (): Promise<void> => {
    // What a boot finds empty: mounts, run files.
    await unmountBelow(join(directory, 'docker'));
    await unmountBelow(join(directory, 'exec'));
    for (const left of ['exec', 'docker.pid', 'docker.sock']) rmSync(join(directory, left), { recursive: true, force: true });
    await link('up');
    await startDocker();
    await start();
  };

  return {
    name,
    address,
    url: `http://${address}/`,
    api,
    socket,
    pid: () => daemon?.pid ?? 0,
    startDocker,
    start,
    signal,
    signalDocker: (which) => void dockerd?.kill(which),
    docker,
    containers: async (endpoint) =>
      (await docker(['ps', '-q', '--no-trunc', '--filter', `label=reactor.endpoint=${endpoint}`]))
        .split('\n')
        .filter(Boolean)
        .sort(),
    reactor: async (words, input) => {
      const environment = { REACTOR_API: api, REACTOR_PASSWORD: place.key() };
      const { status, stdout, stderr } = await collect(process.execPath, [CLI, ...words], environment, input);
      if (status !== 0) throw new Error(`reactor ${words.join(' ')} on ${name} ended with status ${status}: ${stderr}${stdout}`);
      return stdout;
    },
    get: async <T>(path: string) => {
      const response = await fetch(`${api}${path}`, {
        headers: { 'x-auth-key': place.key() },
        signal: AbortSignal.timeout(GONE_MS),
      });
      if (!response.ok) throw new Error(`GET ${path} on ${name} answered ${response.status}: ${await response.text()}`);
      return (await response.json()) as T;
    },
    log,
    cut: async () => void (await link('down')),
    heal: async () => void (await link('up')),
    powerOff,
    powerOn,
  };
}

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself meanwhile.
  }
}

/** The processes of a namespace and all below them: containers have namespaces of their own, but their shims do not. Zombies have ended. */
async function processesOf(namespace: string): Promise<readonly number[]> {
  const roots = (await run('ip', ['netns', 'pids', namespace])).split('\n').filter(Boolean).map(Number);
  const found = new Set(roots);
  const table = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => ({ pid: Number(entry), ...statusOf(entry) }));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const { pid, parent } of table) if (found.has(parent)) found.add(pid);
  }
  const zombies = new Set(table.filter(({ zombie }) => zombie).map(({ pid }) => pid));
  return [...found].filter((pid) => !zombies.has(pid));
}

function statusOf(pid: string): { readonly parent: number; readonly zombie: boolean } {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return { parent: Number(fields[1]), zombie: fields[0] === 'Z' };
  } catch {
    return { parent: 0, zombie: true };
  }
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
