/**
 * A Docker engine in memory, for tests of whoever uses the `ContainerEngine` port. Kept honest by engine-conformance.ts,
 * which runs on this and on the real one. Switches make it fail the ways a real engine does. Long, but one thing: every
 * call of the port on the same containers in memory.
 */
import type { Container, ContainerEngine, ContainerSpec, EngineFacts, OutputLine, OutputRange } from '@reactor/core';
import { ReactorError } from '@reactor/core';

export type EngineMethod = 'facts' | 'list' | 'prepare' | 'start' | 'remove';

/** One call as it came in: `start NAME`, `remove ID`, `prepare IMAGE`, `list`, `facts`. */
export interface EngineCall {
  readonly method: EngineMethod;
  readonly subject: string;
}

export interface FakeEngineOptions {
  /** Default `test`. */
  readonly cluster?: string;
  /** Images that are on the host; default `pyex:latest`. */
  readonly images?: readonly string[];
  /** Images that a pull would find; default none. */
  readonly registry?: readonly string[];
  /** Wall clock in milliseconds; by default every look at it is 1 ms later. */
  readonly nowMs?: () => number;
  readonly facts?: Partial<EngineFacts>;
}

export interface FakeEngine extends ContainerEngine {
  /** Every call in order, also those that failed. */
  readonly calls: readonly EngineCall[];
  /** The next call of that method fails with it, the one after works again. May be given several times. */
  failNext(method: EngineMethod, error: ReactorError): void;
  /** Calls from now on do not return; the returned function lets those, and all later ones, go on. */
  hang(): () => void;
  /** Every call fails with `docker_unavailable` until it is `up` again; containers live on. */
  down(): void;
  up(): void;
  /** The next start leaves its container created but not started, and its answer is lost. */
  startHalf(): void;
  /** The engine, or its whole host, was restarted: what ran has ended. */
  restart(exitCode: number): void;
  /** All containers of every cluster as they are, without a call. */
  containers(): readonly Container[];
  /** The program of that instance ends by itself. */
  exit(instance: string, exitCode: number, oomKilled?: boolean): void;
  /** The program of that instance writes a line. */
  print(instance: string, line: OutputLine): void;
  /** Somebody removes the container by hand. */
  vanish(instance: string): void;
  /** Whether the program of that instance answers on its port; it does unless told otherwise. Survives a restart. */
  setAnswering(instance: string, answering: boolean): void;
  /** What a probe of that address would find: a running container that answers. */
  answers(host: string, port: number): boolean;
  /** A program outside Docker takes that port. */
  occupyPort(port: number): void;
  /** Another engine object on the same engine: of this cluster after a restart of the daemon, or of another one. */
  sibling(cluster?: string): FakeEngine;
}

interface Stored {
  readonly cluster: string;
  readonly spec: ContainerSpec;
  readonly container: Container;
}

/** What the engine itself holds, shared by all engine objects. */
interface World {
  readonly containers: Map<string, Stored>;
  readonly images: Set<string>;
  readonly registry: ReadonlySet<string>;
  /** By container id. */
  readonly output: Map<string, OutputLine[]>;
  readonly silent: Set<string>;
  readonly occupied: Set<number>;
  readonly failures: Map<EngineMethod, ReactorError[]>;
  readonly calls: EngineCall[];
  readonly watchers: Set<(cluster: string | null, id: string | null) => void>;
  readonly nowMs: () => number;
  readonly facts: Partial<EngineFacts>;
  isDown: boolean;
  held: Promise<void> | null;
  ids: number;
  startsHalf: boolean;
}

export function createFakeEngine(options: FakeEngineOptions = {}): FakeEngine {
  let tickMs = 1_700_000_000_000;
  const tick = () => {
    tickMs += 1;
    return tickMs;
  };
  return engineOn(
    {
      containers: new Map(),
      images: new Set(options.images ?? ['pyex:latest']),
      registry: new Set(options.registry ?? []),
      output: new Map(),
      silent: new Set(),
      occupied: new Set(),
      failures: new Map(),
      calls: [],
      watchers: new Set(),
      nowMs: options.nowMs ?? tick,
      facts: options.facts ?? {},
      isDown: false,
      held: null,
      ids: 0,
      startsHalf: false,
    },
    options.cluster ?? 'test',
  );
}

function engineOn(world: World, cluster: string): FakeEngine {
  const notify = (id: string | null, of: string | null) => {
    for (const watcher of world.watchers) watcher(of, id);
  };
  return {
    calls: world.calls,
    facts: () => enter(world, 'facts', '', () => readFacts(world, cluster)),
    list: () =>
      enter(world, 'list', '', () =>
        [...world.containers.values()].filter((it) => it.cluster === cluster).map((it) => it.container),
      ),
    prepare: (image, progress, signal) =>
      enter(world, 'prepare', image, () => {
        signal.throwIfAborted();
        if (world.images.has(image)) return;
        progress(`pulling ${image}`);
        if (!world.registry.has(image)) throw missingImage(image);
        world.images.add(image);
        progress(`pulled ${image}`);
      }),
    start: (spec) =>
      enter(world, 'start', spec.name, () => {
        const container = start(world, cluster, spec);
        notify(container.id, cluster);
        return container;
      }),
    remove: (containerId) =>
      enter(world, 'remove', containerId, () => {
        const stored = world.containers.get(containerId);
        if (stored === undefined) return;
        if (stored.cluster !== cluster) {
          throw new ReactorError('docker_refused', `container ${containerId} is not this cluster's and is left alone`);
        }
        world.containers.delete(containerId);
        notify(containerId, cluster);
      }),
    events: (signal) => watch(world, cluster, signal),
    output: (containerId, range, signal) => read(world, containerId, range, signal),
    print(instance, line) {
      const { id } = find(world, cluster, instance).container;
      world.output.set(id, [...(world.output.get(id) ?? []), line]);
      notify(id, cluster);
    },
    failNext: (method, error) => void world.failures.set(method, [...(world.failures.get(method) ?? []), error]),
    hang() {
      let release: () => void = () => undefined;
      world.held = new Promise((resolve) => {
        release = resolve;
      });
      return () => {
        world.held = null;
        release();
      };
    },
    down() {
      world.isDown = true;
    },
    up() {
      world.isDown = false;
      notify(null, null);
    },
    startHalf() {
      world.startsHalf = true;
    },
    restart(exitCode) {
      for (const [id, stored] of world.containers) {
        if (stored.container.status !== 'running') continue;
        world.containers.set(id, { ...stored, container: { ...stored.container, status: 'exited', exitCode, address: null } });
      }
      notify(null, null);
    },
    containers: () => [...world.containers.values()].map(({ container }) => container),
    exit(instance, exitCode, oomKilled = false) {
      const stored = find(world, cluster, instance);
      const container: Container = { ...stored.container, status: 'exited', exitCode, oomKilled, address: null };
      world.containers.set(container.id, { ...stored, container });
      notify(container.id, cluster);
    },
    vanish(instance) {
      const { id } = find(world, cluster, instance).container;
      world.containers.delete(id);
      notify(id, cluster);
    },
    setAnswering: (instance, answering) => void (answering ? world.silent.delete(instance) : world.silent.add(instance)),
    answers: (host, port) =>
      [...world.containers.values()].some(
        ({ container }) =>
          container.status === 'running' &&
          container.address?.host === host &&
          container.address.port === port &&
          !world.silent.has(container.instance),
      ),
    occupyPort: (port) => void world.occupied.add(port),
    sibling: (other = cluster) => engineOn(world, other),
  };
}

/** Journal, then the switches, then the work. */
async function enter<T>(world: World, method: EngineMethod, subject: string, work: () => T): Promise<T> {
  world.calls.push({ method, subject });
  if (world.held !== null) await world.held;
  if (world.isDown) throw new ReactorError('docker_unavailable', 'nothing listens at /fake/docker.sock');
  const failure = world.failures.get(method)?.shift();
  if (failure !== undefined) throw failure;
  return work();
}

function find(world: World, cluster: string, instance: string): Stored {
  const stored = [...world.containers.values()].find((it) => it.cluster === cluster && it.container.instance === instance);
  if (stored === undefined) throw new Error(`the fake engine has no container of instance ${instance}`);
  return stored;
}

const missingImage = (image: string) => new ReactorError('image_unavailable', `image ${image} is not on this host`);

function start(world: World, cluster: string, spec: ContainerSpec): Container {
  const namesake = [...world.containers.values()].find((it) => it.container.name === spec.name);
  if (namesake !== undefined && namesake.cluster !== cluster) {
    throw new ReactorError('docker_refused', `the name ${spec.name} is taken by a container that is not this cluster's`);
  }
  const same = namesake?.container.hash === spec.hash && namesake.container.instance === spec.instance;
  if (namesake !== undefined && same && namesake.container.status === 'running') return namesake.container;
  if (!world.images.has(spec.container.image)) throw missingImage(spec.container.image);
  const kept = same && namesake?.spec.publish?.hostPort === spec.publish?.hostPort ? namesake : undefined;
  if (namesake !== undefined && kept === undefined) world.containers.delete(namesake.container.id);
  refuseTakenPort(world, spec);
  world.ids += 1;
  const { name, instance, endpoint, slots, hash, tokenHash, publish } = spec;
  const container: Container = {
    id: kept?.container.id ?? world.ids.toString(16).padStart(64, '0'),
    ...{ name, instance, endpoint, slots, hash, tokenHash: kept?.container.tokenHash ?? tokenHash },
    status: 'running',
    startedAtMs: world.nowMs(),
    exitCode: null,
    oomKilled: false,
    address: publish === null ? null : { host: publish.hostAddress, port: publish.hostPort },
  };
  const half = world.startsHalf;
  world.startsHalf = false;
  const left: Container = half ? { ...container, status: 'created', startedAtMs: null, address: null } : container;
  world.containers.set(container.id, { cluster, spec, container: left });
  if (half) throw new ReactorError('docker_unavailable', `start container ${name}: no answer`);
  return container;
}

function refuseTakenPort(world: World, spec: ContainerSpec): void {
  const port = spec.publish?.hostPort;
  if (port === undefined) return;
  const taken = [...world.containers.values()].some((it) => it.container.address?.port === port);
  if (taken || world.occupied.has(port)) {
    throw new ReactorError('port_taken', `start container ${spec.name}: another program has the port (${port})`);
  }
}

function readFacts(world: World, cluster: string): EngineFacts {
  return {
    version: '28.2.2',
    apiVersion: '1.41',
    cpus: 4,
    memoryBytes: 8 * 1024 ** 3,
    labels: { storagedriver: 'overlay2', ostype: 'linux', architecture: 'x86_64' },
    liveRestore: true,
    images: [...world.images].map((tag) => ({ id: `sha256:${Buffer.from(tag).toString('hex').padEnd(64, '0')}`, tags: [tag] })),
    foreign: [...world.containers.values()]
      .filter((it) => it.cluster !== cluster)
      .map(({ container, cluster: other }) => ({
        id: container.id,
        names: [container.name],
        labels: { 'reactor.cluster': other },
        hostPorts: container.address === null ? [] : [container.address.port],
      })),
    ...world.facts,
  };
}

async function* watch(world: World, cluster: string, signal: AbortSignal): AsyncGenerator<string | null> {
  const waiting = new Set<string | null>([null]);
  let wake: () => void = () => undefined;
  const watcher = (of: string | null, id: string | null) => {
    if (of !== null && of !== cluster) return;
    waiting.add(id);
    wake();
  };
  const end = () => wake();
  world.watchers.add(watcher);
  signal.addEventListener('abort', end);
  try {
    while (!signal.aborted) {
      for (const id of waiting) {
        waiting.delete(id);
        yield id;
        if (signal.aborted) return;
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (waiting.size > 0 || signal.aborted) resolve();
      });
    }
  } finally {
    world.watchers.delete(watcher);
    signal.removeEventListener('abort', end);
  }
}

async function* read(
  world: World,
  id: string,
  { tail, sinceMs, follow }: OutputRange,
  signal: AbortSignal,
): AsyncGenerator<OutputLine> {
  let wake: () => void = () => undefined;
  const watcher = () => wake();
  world.watchers.add(watcher);
  signal.addEventListener('abort', watcher);
  try {
    const written = () => world.output.get(id) ?? [];
    let seen = written().length;
    const wanted = written().filter(({ atMs }) => sinceMs === null || atMs >= sinceMs);
    yield* tail === 0 ? [] : wanted.slice(-tail);
    while (follow && !signal.aborted && world.containers.has(id)) {
      const next = written().slice(seen);
      seen += next.length;
      yield* next;
      if (next.length > 0) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        // What came while the last line was being taken woke nobody.
        if (signal.aborted || written().length > seen || !world.containers.has(id)) resolve();
      });
    }
  } finally {
    world.watchers.delete(watcher);
    signal.removeEventListener('abort', watcher);
  }
}
