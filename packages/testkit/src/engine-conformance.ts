/// <reference types="jest" />
/** What every `ContainerEngine` must do, run on the fake one and on a real Docker engine. */
import type { Container, ContainerEngine, ContainerSpec } from '@reactor/core';

export interface EngineHarness {
  readonly engine: ContainerEngine;
  /** Another engine object of the same cluster on the same engine, as after a restart of the daemon. */
  again(): ContainerEngine;
  /** An engine object of another cluster on the same engine. */
  stranger(): ContainerEngine;
  /** An image that is there and whose own command serves HTTP on port 5000. */
  readonly image: string;
  /** An address of the host that ports can be published on. */
  readonly hostAddress: string;
  /** The program of that container is killed by somebody else (SIGKILL). */
  kill(container: Container): Promise<void>;
  /** Removes every container, of whichever cluster. */
  close(): Promise<void>;
}

/** A spec as simple as it gets; `changes` over it. Port 5000 is published at `hostPort`. */
export function containerSpec(
  instance: string,
  hostAddress: string,
  hostPort: number,
  changes: Partial<Omit<ContainerSpec, 'container'>> & { readonly container?: Partial<ContainerSpec['container']> } = {},
): ContainerSpec {
  return {
    name: `reactor-${instance}`,
    instance,
    endpoint: 'pyex',
    slots: 10,
    hash: 'h1',
    tokenHash: 'ab12',
    environment: [],
    linked: { environment: [], hostNames: [] },
    publish: { containerPort: 5000, hostAddress, hostPort },
    ...changes,
    container: {
      image: 'pyex:latest',
      command: null,
      entrypoint: null,
      user: null,
      environment: [],
      memLimitBytes: 0,
      memReservationBytes: 0,
      cpus: 0,
      dns: [],
      hostname: null,
      volumes: [],
      volumesFrom: [],
      network: null,
      hostPort: null,
      pidsLimit: 256,
      links: [],
      ...changes.container,
    },
  };
}

/** Above what a test of somebody else would use, below the ephemeral ports. */
const FIRST_PORT = 24_000;

export function describeContainerEngine(name: string, open: () => Promise<EngineHarness>): void {
  describe(`container engine: ${name}`, () => {
    let harness: EngineHarness;
    let ports = FIRST_PORT;
    const spec = (instance: string, changes: Parameters<typeof containerSpec>[3] = {}) => {
      ports += 1;
      const container = { image: harness.image, ...changes.container };
      return containerSpec(instance, harness.hostAddress, ports, { ...changes, container });
    };
    const only = async (engine: ContainerEngine) => {
      const all = await engine.list();
      expect(all).toHaveLength(1);
      return all[0]!;
    };

    beforeEach(async () => {
      harness = await open();
    });
    afterEach(async () => {
      await harness.close();
    });

    describeStart(() => harness, spec, only);
    describeOwnership(() => harness, spec, only);
    describeEnd(() => harness, spec, only);
    describeSurroundings(() => harness, spec);
  });
}

type Open = () => EngineHarness;
type Spec = (instance: string, changes?: Parameters<typeof containerSpec>[3]) => ContainerSpec;
type Only = (engine: ContainerEngine) => Promise<Container>;

function describeStart(open: Open, spec: Spec, only: Only): void {
  test('a started container runs, with the facts it was started with', async () => {
    const { engine, hostAddress } = open();
    const wanted = spec('i1', { slots: 7, hash: 'abc', tokenHash: 'cd34', endpoint: 'shop' });
    const container = await engine.start(wanted);
    expect(container).toMatchObject({
      name: 'reactor-i1',
      instance: 'i1',
      endpoint: 'shop',
      slots: 7,
      hash: 'abc',
      tokenHash: 'cd34',
      status: 'running',
      exitCode: null,
      oomKilled: false,
      address: { host: hostAddress, port: wanted.publish?.hostPort },
    });
    expect(container.startedAtMs).toBeGreaterThan(0);
    expect(await only(engine)).toEqual(container);
    expect(await only(engine)).toEqual(container);
  });

  test('the output of a container ends when it is not followed; followed, it ends with the signal or the container', async () => {
    const { engine } = open();
    const { id } = await engine.start(spec('i1'));
    const all = async (follow: boolean, signal: AbortSignal, containerId = id) => {
      const lines = [];
      for await (const line of engine.output(containerId, { tail: 100, sinceMs: null, follow }, signal)) lines.push(line);
      return lines;
    };
    const never = new AbortController().signal;
    for (const line of await all(false, never))
      expect(line).toMatchObject({ text: expect.any(String), atMs: expect.any(Number) });
    expect(await all(false, never, '0'.repeat(64))).toEqual([]);
    const stop = new AbortController();
    const followed = all(true, stop.signal);
    const toTheEnd = all(true, never);
    stop.abort();
    await followed;
    await engine.remove(id, 0);
    await toTheEnd;
  });

  test('a container without a published port runs and has no address', async () => {
    const { engine } = open();
    const container = await engine.start(spec('i1', { publish: null }));
    expect(container).toMatchObject({ status: 'running', address: null });
  });

  test('the same start twice, even at once, is one container', async () => {
    const { engine, again } = open();
    const wanted = spec('i1');
    const [first, second] = await Promise.all([engine.start(wanted), again().start(wanted)]);
    const third = await engine.start(wanted);
    expect(new Set([first.id, second.id, third.id]).size).toBe(1);
    expect((await only(engine)).startedAtMs).toBe(third.startedAtMs);
  });

  test('a container of the name with another hash is replaced', async () => {
    const { engine } = open();
    const before = await engine.start(spec('i1', { hash: 'h1' }));
    const after = await engine.start(spec('i1', { hash: 'h2' }));
    expect(after.id).not.toBe(before.id);
    expect(await only(engine)).toMatchObject({ id: after.id, hash: 'h2' });
  });

  test('a taken port says so, leaves nothing behind, and the same name starts at another port', async () => {
    const { engine } = open();
    const first = spec('i1');
    await engine.start(first);
    const second = spec('i2');
    await expect(engine.start({ ...second, publish: first.publish })).rejects.toMatchObject({ code: 'port_taken' });
    expect(await only(engine)).toMatchObject({ instance: 'i1' });
    expect(await engine.start(second)).toMatchObject({ status: 'running', address: { port: second.publish?.hostPort } });
  });

  test('an image that is not there says so', async () => {
    const { engine } = open();
    const wanted = spec('i1', { container: { image: 'no-such-image:1' } });
    await expect(engine.start(wanted)).rejects.toMatchObject({ code: 'image_unavailable' });
    expect(await engine.list()).toEqual([]);
  });
}

function describeOwnership(open: Open, spec: Spec, only: Only): void {
  test('another engine object of the same cluster adopts what runs, fact by fact', async () => {
    const { engine, again } = open();
    const container = await engine.start(spec('i1'));
    expect(await only(again())).toEqual(container);
  });

  test('a container of another cluster is not listed, counts as foreign and cannot be removed', async () => {
    const { engine, stranger } = open();
    const theirs = await stranger().start(spec('i1'));
    expect(await engine.list()).toEqual([]);
    const { foreign } = await engine.facts();
    expect(foreign).toContainEqual(
      expect.objectContaining({ id: theirs.id, names: ['reactor-i1'], hostPorts: [theirs.address?.port] }),
    );
    await expect(engine.remove(theirs.id, 0)).rejects.toMatchObject({ code: 'docker_refused' });
    expect(await only(stranger())).toEqual(theirs);
    expect((await stranger().facts()).foreign.map(({ id }) => id)).not.toContain(theirs.id);
  });

  test('a name that another cluster has is refused, and theirs is left alone', async () => {
    const { engine, stranger } = open();
    const theirs = await stranger().start(spec('i1'));
    await expect(engine.start(spec('i1'))).rejects.toMatchObject({ code: 'docker_refused' });
    expect(await only(stranger())).toEqual(theirs);
  });
}

function describeEnd(open: Open, spec: Spec, only: Only): void {
  test('a removed container is gone, and removing it again succeeds', async () => {
    const { engine } = open();
    const { id } = await engine.start(spec('i1'));
    await engine.remove(id, 500);
    expect(await engine.list()).toEqual([]);
    await engine.remove(id, 500);
  });

  test('two removals of one container at once both succeed', async () => {
    const { engine, again } = open();
    const { id } = await engine.start(spec('i1'));
    await Promise.all([engine.remove(id, 500), again().remove(id, 500)]);
    expect(await engine.list()).toEqual([]);
  });

  test('a killed container is listed as exited with its exit code and without address', async () => {
    const { engine, kill } = open();
    const container = await engine.start(spec('i1'));
    await engine.list();
    await kill(container);
    expect(await only(engine)).toMatchObject({ id: container.id, status: 'exited', exitCode: 137, address: null });
  });

  test('an exited container is started again under its id, as another start', async () => {
    const { engine, kill } = open();
    const wanted = spec('i1');
    const first = await engine.start(wanted);
    await kill(first);
    await engine.list();
    const second = await engine.start(wanted);
    expect(second).toMatchObject({ id: first.id, status: 'running', exitCode: null, address: first.address });
    expect(second.startedAtMs).toBeGreaterThan(first.startedAtMs ?? 0);
    expect(await only(engine)).toEqual(second);
  });
}

function describeSurroundings(open: Open, spec: Spec): void {
  test('a local image needs no pull', async () => {
    const { engine, image } = open();
    const lines: string[] = [];
    await engine.prepare(image, (line) => lines.push(line), new AbortController().signal);
    expect(lines).toEqual([]);
  });

  test('preparing with an aborted signal ends with its reason', async () => {
    const { engine, image } = open();
    const signal = AbortSignal.abort(new Error('no longer wanted'));
    await expect(engine.prepare(image, () => undefined, signal)).rejects.toThrow('no longer wanted');
  });

  test('the facts name the machine and its images', async () => {
    const { engine, image } = open();
    const facts = await engine.facts();
    expect(facts.cpus).toBeGreaterThan(0);
    expect(facts.memoryBytes).toBeGreaterThan(0);
    expect(facts.labels).toMatchObject({ ostype: 'linux', architecture: expect.any(String) });
    expect(facts.images.flatMap(({ tags }) => tags)).toContain(image);
  });

  test('events begin with "look at all", name what changed, and end with the signal', async () => {
    const { engine, kill, stranger } = open();
    const stop = new AbortController();
    const events = engine.events(stop.signal)[Symbol.asyncIterator]();
    expect(await events.next()).toEqual({ done: false, value: null });
    await stranger().start(spec('other'));
    const container = await engine.start(spec('i1'));
    expect(await events.next()).toEqual({ done: false, value: container.id });
    await kill(container);
    expect(await events.next()).toEqual({ done: false, value: container.id });
    stop.abort();
    let last = await events.next();
    for (let left = 10; last.done !== true && left > 0; left -= 1) last = await events.next();
    expect(last.done).toBe(true);
  });
}
