import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Agent, combineDrivers, kernelConnections, startAgent } from '@reactor/agent';
import { type Api, createApi, createMeter, hasAuth, rememberViews, setAuthKey } from '@reactor/api';
import { type DaemonConfig, fingerprint, resolveEndpoint } from '@reactor/config';
import { type Controller, startController } from '@reactor/controller';
import {
  type At,
  type ConfigDocument,
  createDiary,
  describeError,
  type EndpointRecord,
  LOGS,
  type LogLevel,
  type PlanInput,
  type StateStore,
} from '@reactor/core';
import { createEngine } from '@reactor/docker';
import { openState } from '@reactor/state';
import { balancerDrivers } from './balancers.js';
import { createDefaultEndpoints } from './default-endpoints.js';
import { type History, startHistory } from './history.js';
import { advertisedUrl, discoverAddress, isLoopback } from './host-address.js';
import { markFile, portFile } from './mark-file.js';
import { openPushed } from './pushed-config.js';
import { systemClock } from './system-clock.js';
import { VERSION } from './version.js';

/**
 * The composition root: the only place that constructs stores, drivers and loops, and hands each what it needs.
 */
export interface Daemon {
  /** Ends the loops and the server. Containers and the load balancer go on serving. */
  stop(): Promise<void>;
}

export type Log = (level: LogLevel, message: string) => void;

export interface StartOptions {
  /** Forget what is known of the cluster state, and take the one that is found. */
  readonly acceptState?: boolean;
  /** The configuration with what the cluster gives to this daemon over the file; default: the file's alone. */
  readonly resolve?: (pushed: ConfigDocument) => DaemonConfig;
}

export async function startDaemon(own: DaemonConfig, log: Log, options: StartOptions = {}): Promise<Daemon> {
  const host = own.manager.name;
  const telemetry = createMeter();
  const { meter } = telemetry;
  // Passable, for the load balancer's workers run as another account; what is private keeps that to itself below.
  mkdirSync(own.manager.dataDir, { recursive: true, mode: 0o711 });
  const { store, lastView } = await openStore(own, log, options);
  const diary = createDiary(store, systemClock, log);
  const closing: (() => Promise<void>)[] = [() => store.close(), () => diary.written()];
  const stop = async (): Promise<void> => {
    for (const close of closing.reverse())
      await close().catch((error) => log('error', `while stopping: ${describeError(error)}`));
  };

  try {
    await requireKey(store, own, log);
    const parts: { agent: Agent | null; controller: Controller | null } = { agent: null, controller: null };
    const pushed = await openPushed({
      ...{ store, clock: systemClock, manager: host, resolve: options.resolve ?? (() => own), log },
      changed: () => parts.controller?.wake(),
    });
    closing.push(pushed.close);
    const config = pushed.current();
    const address = config.manager.address ?? discoverAddress();
    const { clusterId } = await store.read('controller/');
    const resolve = createResolver();

    const history = openHistory(config, store, log);
    closing.push(history.close);
    const engine = createEngine({ socket: config.docker.socket, cluster: clusterId, log, meter });
    const api: Api = createApi({
      ...{ store, engine, now: systemClock.now, newId, version: VERSION, host, telemetry, log, lastView, history },
      health: () => {
        const problems = [...(parts.agent?.problems() ?? ['starting']), ...(parts.controller?.problems() ?? [])];
        return { ok: problems.length === 0, problems };
      },
      compat2013: config.api.compat === '2013',
      pages: pagesDirectory(),
    });
    const { port } = await api.listen(config.api.host, config.api.port);
    closing.push(() => api.close());

    await createDefaults(config, port, store, log);

    const drivers = balancerDrivers(config, { meter, log });
    const common = { store, clock: systemClock, random: Math.random, meter, log, host };
    parts.agent = await startAgent({
      ...common,
      engine,
      connections: kernelConnections,
      balancer: combineDrivers({ drivers, clock: systemClock, log }),
      balancers: () => drivers.filter((driver) => driver.missing() === null).map(({ kind }) => kind),
      resolve: (record) => {
        const resolved = resolve(record);
        return 'error' in resolved ? null : resolved.config;
      },
      ...hostOptions(config, address, port),
      offer: () => pushed.current().docker,
      newToken,
      surge: () => parts.controller?.wake(),
      version: VERSION,
      marks: markFile(join(config.manager.dataDir, 'epoch')),
      portsHandedOut: portFile(join(config.manager.dataDir, 'ports')),
    });
    closing.push(async () => parts.agent?.stop());
    parts.controller = startController({
      ...common,
      ...{ intervalMs: () => pushed.current().manager.intervalMs, resolve, newId, planned: history.planned },
      notify: config.notify,
    });
    closing.push(async () => parts.controller?.stop());
    const serves = `reactord ${VERSION} serves as ${host} at ${address}, API on ${config.api.host}:${port}`;
    log('info', `${serves}, state ${describeState(config)}, cluster ${clusterId}`);
    diary.tell(LOGS.manager(host), 'info', 'REGISTERED', serves);
    return { stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function openStore(config: DaemonConfig, log: Log, options: StartOptions): Promise<ReturnType<typeof rememberViews>> {
  let opened = false;
  const store = await openState(config.manager.state, {
    directory: join(config.manager.dataDir, 'state'),
    // What keeps it from being opened is thrown, and told by whoever tries.
    onProblem: (error) => opened && log('error', `cluster state: ${describeError(error)}`),
    copy: {
      directory: join(config.manager.dataDir, 'copy'),
      owner: config.manager.name,
      forget: options.acceptState === true,
      tell: (level, message) => log(level, `cluster state: ${message}`),
    },
  });
  opened = true;
  return rememberViews(store, systemClock.now);
}

function openHistory({ manager, history }: DaemonConfig, store: StateStore, log: Log): History {
  const directory = join(manager.dataDir, 'history');
  return startHistory({ store, clock: systemClock, now: systemClock.now, log, directory, ...history });
}

async function createDefaults({ manager, api }: DaemonConfig, port: number, store: StateStore, log: Log): Promise<void> {
  const { defaultEndpoints: directory } = manager;
  if (directory === null) return;
  await createDefaultEndpoints({ directory, api: { host: api.host, port }, store, now: systemClock.now, newId, log });
}

/** Beside the program, as scripts/bundle.mjs makes them; null in a checkout where it did not run. */
function pagesDirectory(): string | null {
  const places = ['./ui/', '../ui/'].map((place) => fileURLToPath(new URL(place, import.meta.url)));
  return places.find((place) => existsSync(place)) ?? null;
}

/** What the agent tells of its host. */
function hostOptions({ manager, api, docker }: DaemonConfig, address: string, port: number) {
  const { slots, overcommit, labels, portRange, startLimit } = docker;
  return {
    name: manager.name,
    address,
    apiUrl: `http://${address}:${port}`,
    advertisedUrl: advertisedUrl(api.host, port, address),
    ...{ slots, overcommit, labels, portRange },
    startLimit: startLimit || availableParallelism(),
  };
}

/** More than can be guessed, whatever the hash. */
const TOKEN_BYTES = 32;

const newToken = (): string => randomBytes(TOKEN_BYTES).toString('base64url');

/** Names end up in container names, file names and URLs: hex of 40 random bits, so that even 10,000 instances hardly ever meet. */
function newId(): string {
  return randomBytes(5).toString('hex');
}

/** Resolving is pure, so each configuration is resolved once. */
function createResolver(): PlanInput['resolve'] {
  const known = new Map<string, { readonly revision: number; readonly resolved: ReturnType<PlanInput['resolve']> }>();
  return (record: At<EndpointRecord>) => {
    const { name, document } = record.value;
    const cached = known.get(name);
    if (cached?.revision === record.revision) return cached.resolved;
    const resolved = resolveOnce(document);
    known.set(name, { revision: record.revision, resolved });
    return resolved;
  };
}

function resolveOnce(document: EndpointRecord['document']): ReturnType<PlanInput['resolve']> {
  try {
    const { config } = resolveEndpoint(document);
    return { config, hash: fingerprint(config) };
  } catch (error) {
    return { error: describeError(error) };
  }
}

/** Whoever can reach the API without a key owns every machine of the cluster; so beyond loopback there always is one. */
async function requireKey(store: StateStore, config: DaemonConfig, log: Log): Promise<void> {
  if (isLoopback(config.api.host) || (await hasAuth(store))) return;
  const key = randomBytes(24).toString('base64url');
  if (!(await setAuthKey(store, key, { onlyIfUnset: true }))) return;
  // Not through the log: this is the one line that must carry it, and only the operator's terminal should.
  process.stderr.write(`The API listens beyond this machine, so it was given a key. It is shown only now: ${key}\n`);
  log('warning', 'the API listens beyond this machine and had no key: one was made and printed to standard error');
}

function describeState(config: DaemonConfig): string {
  return config.manager.state.replace(/\/\/[^@/]*@/, '//***@');
}
