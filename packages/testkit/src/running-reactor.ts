import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { collect, run } from './command.js';
import { until } from './until.js';

/**
 * A real reactord on the sandbox's host, with directories of its own, driven through the real `reactor` command. Only
 * inside `scripts/sandbox`, which sets REACTOR_TEST_*.
 */
export interface RunningReactor {
  readonly directory: string;
  /** Its data_dir. */
  readonly data: string;
  readonly api: string;
  readonly docker: string;
  readonly pid: () => number;
  /** Runs `reactor WORDS`, fails with its output unless it ends with status 0. */
  reactor(words: readonly string[], input?: string): Promise<string>;
  /** The same, with the status instead of failing. */
  tryReactor(
    words: readonly string[],
    input?: string,
  ): Promise<{ readonly status: number; readonly stdout: string; readonly stderr: string }>;
  /** Docker's command line on the sandbox's engine. */
  dockerCli(words: readonly string[], input?: string): Promise<string>;
  get<T>(path: string): Promise<T>;
  log(): string;
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts the daemon and waits until it is ready; fails with its log when it ends instead. */
  start(): Promise<void>;
  /** Starts the daemon, with these options besides, and waits for nothing. Resolves with its exit status when it ends by itself or by a signal. */
  launch(options?: readonly string[]): { readonly ended: Promise<number | null> };
  /** Ends the daemon, its nginx and its containers; removes the directory. */
  stop(): Promise<void>;
}

export interface RunningReactorOptions {
  readonly name?: string;
  readonly state?: string;
  readonly apiPort?: number;
  /** Seconds between the controller's rounds; 1 unless given. */
  readonly interval?: number;
  /** Instead of a directory below the reactor's own. */
  readonly dataDirectory?: string;
  /** More lines for reactor.conf. */
  readonly configuration?: string;
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CLI = join(ROOT, 'packages/cli/dist/reactor.mjs');
const DAEMON = join(ROOT, 'packages/daemon/dist/reactord.mjs');
const START_MS = 20_000;
const STOP_MS = 10_000;

/** What scripts/sandbox says about the host; fails loudly outside of it, for a skipped test of the real thing is no test. */
export function sandbox(): {
  readonly docker: string;
  readonly dockerPid: string;
  readonly address: string;
  readonly image: string;
  readonly directory: string;
} {
  const read = (name: string): string => {
    const value = process.env[name];
    if (!value) throw new Error(`${name} is not set: run the real tests with scripts/test, or inside scripts/sandbox`);
    return value;
  };
  return {
    docker: read('REACTOR_TEST_DOCKER'),
    dockerPid: read('REACTOR_TEST_DOCKER_PID'),
    address: read('REACTOR_TEST_ADDRESS'),
    image: read('REACTOR_TEST_IMAGE'),
    directory: read('REACTOR_TEST_DIR'),
  };
}

export async function startReactor(options: RunningReactorOptions = {}): Promise<RunningReactor> {
  const host = sandbox();
  const name = options.name ?? 'vm1';
  const port = options.apiPort ?? 8080;
  const api = `http://127.0.0.1:${port}`;
  const directory = mkdtempSync(join(host.directory, `${name}.`));
  const data = options.dataDirectory ?? join(directory, 'data');
  const logFile = join(directory, 'reactord.log');
  mkdirSync(data, { recursive: true });
  // The workers of nginx run as another account and open their log themselves.
  await run('chmod', ['755', directory, data]);
  writeFileSync(
    join(directory, 'reactor.conf'),
    `[manager]\nname=${name}\naddress=${host.address}\ndata_dir=${data}\nstate=${options.state ?? 'embedded'}\ninterval=${options.interval ?? 1}\n[api]\nlisten=127.0.0.1:${port}\n[cloud:docker]\nsocket=${host.docker}\n${options.configuration ?? ''}`,
  );
  let daemon: ChildProcess | null = null;
  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');

  const spawnDaemon = (options: readonly string[] = []): ChildProcess => {
    const sink = openSync(logFile, 'a');
    daemon = spawn(DAEMON, ['--config', join(directory, 'reactor.conf'), ...options], { stdio: ['ignore', sink, sink] });
    closeSync(sink);
    return daemon;
  };
  const launch: RunningReactor['launch'] = (options) => {
    const child = spawnDaemon(options);
    return { ended: new Promise((resolve) => child.once('exit', resolve)) };
  };
  const start = async (): Promise<void> => {
    const child = spawnDaemon();
    await until('the API is ready', START_MS, async () => {
      if (child.exitCode !== null) throw new Error(`reactord ended with status ${child.exitCode}:\n${log()}`);
      return (await fetch(`${api}/readyz`)).ok;
    });
  };
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    const child = daemon;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  const tryReactor: RunningReactor['tryReactor'] = (words, input) =>
    collect(process.execPath, [CLI, ...words], { REACTOR_API: api }, input);
  const reactor: RunningReactor['reactor'] = async (words, input) => {
    const { status, stdout, stderr } = await tryReactor(words, input);
    if (status !== 0) throw new Error(`reactor ${words.join(' ')} ended with status ${status}: ${stderr}${stdout}`);
    return stdout;
  };
  const dockerCli: RunningReactor['dockerCli'] = (words, input) =>
    run('docker', ['-H', `unix://${host.docker}`, ...words], input);

  const stop = async (): Promise<void> => {
    const cluster = /cluster ([0-9a-zA-Z-]+)/.exec(log())?.[1];
    const hung = setTimeout(() => daemon?.kill('SIGKILL'), STOP_MS);
    await kill('SIGTERM');
    clearTimeout(hung);
    const pidFile = join(data, 'nginx/nginx.pid');
    if (existsSync(pidFile)) {
      const master = Number(readFileSync(pidFile, 'utf8'));
      // A test may have left a stale file: only nginx is ended by it.
      if (isNginx(master)) process.kill(master, 'SIGTERM');
      await until('nginx has ended', STOP_MS, () => !isNginx(master));
    }
    await endHaproxy(data);
    await endBeside(data);
    if (cluster) {
      const ids = (await dockerCli(['ps', '-aq', '--filter', `label=reactor.cluster=${cluster}`])).split('\n').filter(Boolean);
      if (ids.length > 0) await dockerCli(['rm', '-f', ...ids]);
    }
    rmSync(directory, { recursive: true, force: true });
  };

  await sweepContainers();
  await start();
  return {
    directory,
    data,
    api,
    docker: host.docker,
    pid: () => daemon?.pid ?? 0,
    reactor,
    tryReactor,
    dockerCli,
    get: async <T>(path: string) => (await fetch(`${api}${path}`)).json() as Promise<T>,
    log,
    kill,
    start,
    launch,
    stop,
  };
}

/** Removes what an earlier test left on the sandbox's engine: each begins with an empty host, in whatever order they run. */
export async function sweepContainers(): Promise<void> {
  const docker = ['-H', `unix://${sandbox().docker}`];
  const ids = (await run('docker', [...docker, 'ps', '-aq', '--filter', 'label=reactor.cluster'])).split('\n').filter(Boolean);
  if (ids.length > 0) await run('docker', [...docker, 'rm', '-f', ...ids]);
}

async function endHaproxy(data: string): Promise<void> {
  const { configFile, pid } = haproxyOf(data);
  if (pid === null) return;
  process.kill(pid, 'SIGTERM');
  await until(`haproxy of ${configFile} has ended`, STOP_MS, () => haproxyOf(data).pid === null);
}

/** The haproxy that a daemon has started; null while none runs. */
export function haproxyOf(data: string): { readonly configFile: string; readonly pid: number | null } {
  const configFile = join(data, 'haproxy/haproxy.cfg');
  const pidFile = join(data, 'haproxy/haproxy.pid');
  if (!existsSync(pidFile)) return { configFile, pid: null };
  const pid = Number(readFileSync(pidFile, 'utf8'));
  try {
    return { configFile, pid: readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(configFile) ? pid : null };
  } catch {
    return { configFile, pid: null };
  }
}

/** The load balancers that a reactord with that data directory has started beside nginx. */
async function endBeside(data: string): Promise<void> {
  const started = (pid: number): boolean => {
    try {
      const title = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
      return title.startsWith(`reactor-tcp: ${data}/`) || title.includes(`--conf-file=${data}/`);
    } catch {
      return false;
    }
  };
  const pids = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 1 && started(pid));
  for (const pid of pids) process.kill(pid, 'SIGTERM');
  await until('what reactord started has ended', STOP_MS, () => !pids.some(started));
}

/** Also false for one that has ended and was not waited for yet. */
function isNginx(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('nginx: master');
  } catch {
    return false;
  }
}
