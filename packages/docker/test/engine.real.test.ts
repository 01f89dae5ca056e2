/** The engine port on a real Docker engine: `scripts/sandbox -- ...` provides one that is this run's own. */
import { chmod, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { type Container, describeExit } from '@reactor/core';
import { containerSpec, describeContainerEngine, freeze } from '@reactor/testkit';
import Docker from 'dockerode';
import { CAPABILITIES } from '../src/spec.js';
import { engineAt } from './fake-dockerd.js';

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') {
    throw new Error(`${name} is not set: this test needs a real Docker engine; run it through scripts/sandbox`);
  }
  return value;
}

const socket = required('REACTOR_TEST_DOCKER');
const hostAddress = required('REACTOR_TEST_ADDRESS');
const image = required('REACTOR_TEST_IMAGE');
const docker = new Docker({ socketPath: socket });
const NODE = '/usr/local/bin/node';
const CLUSTER = 'real';
/** For the tests of several containers, on a machine that does other things too. */
const SLOW_MS = 30_000;

/** Everything on the sandbox's engine is of this run. */
async function removeAll() {
  const all = await docker.listContainers({ all: true });
  await Promise.all(all.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })));
}

async function kill(container: Container) {
  const running = docker.getContainer(container.id);
  const ended = running.wait();
  await running.kill();
  await ended;
}

describeContainerEngine('Docker', async () => ({
  engine: engineAt(socket, {}, CLUSTER).engine,
  again: () => engineAt(socket, {}, CLUSTER).engine,
  stranger: () => engineAt(socket, {}, 'another').engine,
  image,
  hostAddress,
  kill,
  close: removeAll,
}));

let ports = 25_000;
const spec = (instance: string, changes: Parameters<typeof containerSpec>[3] = {}) => {
  ports += 1;
  return containerSpec(instance, hostAddress, ports, { ...changes, container: { image, ...changes.container } });
};
const engine = engineAt(socket, {}, CLUSTER).engine;

/** The first answer; a refused connection is tried again until the program listens. */
async function ask({ address }: Container, path = '/'): Promise<Response> {
  if (address === null) throw new Error('the container has no address');
  for (const endMs = performance.now() + 10_000; ; ) {
    try {
      return await fetch(`http://${address.host}:${address.port}${path}`);
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function ended(instance: string): Promise<Container> {
  for (const endMs = performance.now() + 20_000; performance.now() < endMs; ) {
    const container = (await engine.list()).find((it) => it.instance === instance);
    if (container?.status === 'exited') return container;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${instance} has not ended`);
}

/** A program that answers with what it sees of its own container. */
const MIRROR = `
  const { readFileSync: read } = require('node:fs');
  const maybe = (path) => { try { return read(path, 'utf8'); } catch (error) { return error.code; } };
  require('node:http').createServer((_, response) => response.end(JSON.stringify({
    uid: process.getuid(), hostname: require('node:os').hostname(), env: process.env, status: maybe('/proc/self/status'),
    resolv: maybe('/etc/resolv.conf'), data: maybe('/data/note'),
    write: (() => { try { require('node:fs').writeFileSync('/data/new', ''); return 'written'; } catch (error) { return error.code; } })(),
  }))).listen(process.env.PORT ?? 5000);`;
/** A directory of the host with a file that any user of a container can read. */
async function volumeWith(note: string): Promise<string> {
  const directory = await mkdtemp(join(required('REACTOR_TEST_DIR'), 'volume-'));
  await chmod(directory, 0o755);
  await writeFile(join(directory, 'note'), note);
  return directory;
}
const mirror = [NODE, '-e', MIRROR];

afterEach(removeAll);

describe('a container on a real engine', () => {
  test('answers through the host’s address, with the image’s own command', async () => {
    const container = await engine.start(spec('i1'));
    const answer = await ask(container);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-instance')).toBe(container.id.slice(0, 12));
  });

  test('is set up as its configuration says, seen from inside', async () => {
    const directory = await volumeWith('from the host');
    const container = await engine.start(
      spec('i1', {
        container: {
          command: mirror,
          user: '1234',
          hostname: 'mirror',
          environment: [
            ['GREETING', 'a=b c'],
            ['REACTOR_API', 'evil'],
          ],
          dns: ['10.77.0.53'],
          volumes: [`${directory}:/data:ro`],
          memLimitBytes: 128 * 1024 * 1024,
          memReservationBytes: 64 * 1024 * 1024,
          cpus: 0.5,
          pidsLimit: 77,
        },
        environment: [['REACTOR_API', 'http://10.77.0.11:8080']],
      }),
    );
    const seen = (await (await ask(container)).json()) as { readonly status: string };
    expect(seen).toMatchObject({
      uid: 1234,
      hostname: 'mirror',
      env: { GREETING: 'a=b c', REACTOR_API: 'http://10.77.0.11:8080' },
      resolv: expect.stringContaining('nameserver 10.77.0.53'),
      data: 'from the host',
      write: 'EROFS',
    });
    expect(seen.status).toMatch(/NoNewPrivs:\t1/);
    const { HostConfig } = await docker.getContainer(container.id).inspect();
    expect(HostConfig).toMatchObject({
      Memory: 128 * 1024 * 1024,
      MemoryReservation: 64 * 1024 * 1024,
      NanoCpus: 500_000_000,
      PidsLimit: 77,
      Privileged: false,
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
    });
  });

  test('has exactly the capabilities that are allowed, also as root', async () => {
    const container = await engine.start(spec('i1', { container: { command: mirror, user: '0' } }));
    const { status } = (await (await ask(container)).json()) as { readonly status: string };
    const mask = BigInt(`0x${/CapBnd:\t([0-9a-f]+)/.exec(status)?.[1]}`);
    // CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, FSETID 4, KILL 5, SETGID 6, SETUID 7, SETPCAP 8, NET_BIND_SERVICE 10, SYS_CHROOT 18.
    const allowed = [0n, 1n, 3n, 4n, 5n, 6n, 7n, 8n, 10n, 18n];
    expect(allowed).toHaveLength(CAPABILITIES.length);
    expect(mask).toBe(allowed.reduce((sum, bit) => sum | (1n << bit), 0n));
  });

  test('on the host network is reached at the port of its program', async () => {
    const PORT = '25900';
    const publish = { containerPort: Number(PORT), hostAddress, hostPort: Number(PORT) };
    const wanted = spec('i1', { publish, container: { network: 'host', environment: [['PORT', PORT]] } });
    const container = await engine.start(wanted);
    expect(container.address).toEqual({ host: hostAddress, port: Number(PORT) });
    expect((await ask(container)).status).toBe(200);
    expect(await engine.list()).toEqual([container]);
  });

  test('joins a network of its own, and another container’s volumes and network', async () => {
    const network = await docker.createNetwork({ Name: 'backend' });
    try {
      const directory = await volumeWith('lent');
      const lender = await engine.start(spec('lender', { container: { network: 'backend', volumes: [`${directory}:/data`] } }));
      expect((await ask(lender)).status).toBe(200);
      const borrower = await engine.start(spec('borrower', { container: { command: mirror, volumesFrom: [lender.name] } }));
      expect(await (await ask(borrower)).json()).toMatchObject({ data: 'lent' });
      const container = { network: `container:${lender.name}`, environment: [['PORT', '5001']] as const };
      expect(await engine.start(spec('guest', { publish: null, container }))).toMatchObject({ status: 'running', address: null });
      expect(await engine.list()).toHaveLength(3);
    } finally {
      await removeAll();
      await network.remove();
    }
  });

  test('of a local image id starts, and no registry is asked', async () => {
    const { images } = await engine.facts();
    const id = images.find(({ tags }) => tags.includes(image))?.id ?? '';
    const short = id.replace('sha256:', '').slice(0, 12);
    const said: string[] = [];
    await engine.prepare(short, (line) => said.push(line), new AbortController().signal);
    expect(said).toEqual([]);
    expect((await ask(await engine.start(spec('i1', { container: { image: short } })))).status).toBe(200);
  });
});

describe('what a real engine refuses', () => {
  test(
    'an image no registry gives is unavailable in plain words, within its deadline',
    async () => {
      const { engine: hasty } = engineAt(socket, { pullSilenceMs: 5_000 }, CLUSTER);
      const beganMs = performance.now();
      const pulling = hasty.prepare('registry.invalid/no-such-image:1', () => undefined, new AbortController().signal);
      await expect(pulling).rejects.toMatchObject({
        code: 'image_unavailable',
        message: expect.stringMatching(
          /^image registry\.invalid\/no-such-image:1 is not on this host and could not be pulled: ./,
        ),
      });
      expect(performance.now() - beganMs).toBeLessThan(14_000);
    },
    SLOW_MS,
  );

  test('a port another program listens on is taken', async () => {
    const wanted = spec('i1');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(wanted.publish?.hostPort, hostAddress, resolve));
    try {
      await expect(engine.start(wanted)).rejects.toMatchObject({ code: 'port_taken' });
      expect(await docker.listContainers({ all: true })).toEqual([]);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    expect(await engine.start(wanted)).toMatchObject({ status: 'running' });
  });

  test.each([
    ['/no/such/program', 'no such file in the image (exit code 127)'],
    ['/etc/passwd', 'not executable or no permission (exit code 126)'],
  ])('the command %s is told in plain words and leaves nothing behind', async (program, words) => {
    const starting = engine.start(spec('i1', { container: { command: [program] } }));
    await expect(starting).rejects.toMatchObject({ code: 'docker_refused', message: expect.stringContaining(words) });
    expect(await docker.listContainers({ all: true })).toEqual([]);
  });

  test('an unknown network is refused in Docker’s words', async () => {
    const starting = engine.start(spec('i1', { container: { network: 'nowhere' } }));
    await expect(starting).rejects.toMatchObject({ code: 'docker_refused', message: expect.stringContaining('nowhere') });
    expect(await docker.listContainers({ all: true })).toEqual([]);
  });
});

describe('the end of a real container', () => {
  test('that ignores SIGTERM comes after the grace, by SIGKILL', async () => {
    const stubborn = "process.on('SIGTERM', () => {}); require('node:http').createServer((_, r) => r.end()).listen(5000)";
    const container = await engine.start(spec('i1', { container: { command: [NODE, '-e', stubborn] } }));
    await ask(container);
    const beganMs = performance.now();
    await engine.remove(container.id, 2_000);
    const tookMs = performance.now() - beganMs;
    expect(tookMs).toBeGreaterThan(2_000);
    expect(tookMs).toBeLessThan(12_000);
    expect(await docker.listContainers({ all: true })).toEqual([]);
  });

  test('that heeds SIGTERM comes at once', async () => {
    const container = await engine.start(spec('i1'));
    await ask(container);
    const beganMs = performance.now();
    await engine.remove(container.id, 20_000);
    expect(performance.now() - beganMs).toBeLessThan(10_000);
  });

  test('of a paused one comes too', async () => {
    const container = await engine.start(spec('i1'));
    await docker.getContainer(container.id).pause();
    expect(await engine.list()).toEqual([{ ...container, status: 'paused' }]);
    await engine.remove(container.id, 1_000);
    expect(await engine.list()).toEqual([]);
  });

  test('removes its anonymous volumes', async () => {
    const before = (await docker.listVolumes()).Volumes.length;
    const container = await engine.start(spec('i1', { container: { volumes: ['/srv/data'] } }));
    await engine.remove(container.id, 0);
    expect((await docker.listVolumes()).Volumes).toHaveLength(before);
  });

  test('by its own exit code is told in plain words', async () => {
    await engine.start(spec('i1', { container: { command: [NODE, '-e', 'process.exit(3)'] } }));
    const { exitCode, oomKilled } = await ended('i1');
    expect(describeExit(exitCode, oomKilled)).toBe('failed (exit code 3)');
  });

  test(
    'by its memory limit is told in plain words',
    async () => {
      const greedy = 'const kept = []; for (;;) kept.push(Buffer.alloc(1e7, 1))';
      await engine.start(spec('i1', { container: { command: [NODE, '-e', greedy], memLimitBytes: 64 * 1024 * 1024 } }));
      const { exitCode, oomKilled } = await ended('i1');
      expect(describeExit(exitCode, oomKilled)).toBe('was killed: it needed more memory than mem_limit allows');
    },
    SLOW_MS,
  );

  test('and another start by hand are seen by the next listing', async () => {
    const container = await engine.start(spec('i1'));
    await engine.list();
    await docker.getContainer(container.id).restart({ t: 0 });
    const [seen] = await engine.list();
    expect(seen).toMatchObject({ id: container.id, status: 'running', address: container.address });
    expect(seen?.startedAtMs).toBeGreaterThan(container.startedAtMs ?? 0);
  });
});

test(
  'decoys with our names, environment or some of our labels are never listed or touched',
  async () => {
    const decoy = async (name: string, labels: Readonly<Record<string, string>>) => {
      const container = await docker.createContainer({
        name,
        Image: image,
        Labels: labels,
        Env: ['_REACTOR_SCHEDULER_SLOTS=10'],
      });
      await container.start();
      return container.id;
    };
    const ours = { 'reactor.endpoint': 'pyex', 'reactor.instance': 'i9', 'reactor.slots': '10', 'reactor.hash': 'h1' };
    const decoys = [
      await decoy('reactor-i1', {}),
      await decoy('reactor-i2', ours),
      await decoy('reactor-i3', { 'reactor.cluster': CLUSTER }),
      await decoy('reactor-i4', { ...ours, 'reactor.cluster': `${CLUSTER}2` }),
    ];
    expect(await engine.list()).toEqual([]);
    const { foreign } = await engine.facts();
    expect(foreign.map(({ id }) => id).sort()).toEqual([...decoys].sort());
    for (const id of decoys) await expect(engine.remove(id, 0)).rejects.toMatchObject({ code: 'docker_refused' });
    for (const name of ['i1', 'i2', 'i3', 'i4']) {
      await expect(engine.start(spec(name))).rejects.toMatchObject({ code: 'docker_refused' });
    }
    const running = await docker.listContainers();
    expect(running.map(({ Id }) => Id).sort()).toEqual([...decoys].sort());
  },
  SLOW_MS,
);

test('the end of a container is heard within a second', async () => {
  const container = await engine.start(spec('i1'));
  const stop = new AbortController();
  const events = engine.events(stop.signal)[Symbol.asyncIterator]();
  expect((await events.next()).value).toBeNull();
  const beganMs = performance.now();
  const [heard] = await Promise.all([events.next(), kill(container)]);
  expect(performance.now() - beganMs).toBeLessThan(3_000);
  expect(heard.value).toBe(container.id);
  stop.abort();
});

test(
  'a frozen engine costs calls their deadline, then nothing, while containers serve on; thawed, it is used again',
  async () => {
    const container = await engine.start(spec('i1'));
    await ask(container);
    const { engine: hasty, log } = engineAt(socket, { readMs: 300, breakerOpenMs: 500 }, CLUSTER);
    expect(await hasty.list()).toEqual([container]);
    const pid = Number(await readFile(required('REACTOR_TEST_DOCKER_PID'), 'utf8'));
    await freeze(pid);
    try {
      for (let count = 0; count < 5; count += 1) {
        const beganMs = performance.now();
        await expect(hasty.list()).rejects.toMatchObject({ code: 'docker_unavailable' });
        expect(performance.now() - beganMs).toBeLessThan(3_000);
      }
      const beganMs = performance.now();
      await expect(hasty.list()).rejects.toMatchObject({ code: 'docker_unavailable' });
      expect(performance.now() - beganMs).toBeLessThan(500);
      expect((await ask(container)).status).toBe(200);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    let listed: unknown = null;
    for (const endMs = performance.now() + 10_000; listed === null && performance.now() < endMs; ) {
      listed = await hasty.list().catch(() => new Promise((resolve) => setTimeout(resolve, 20, null)));
    }
    expect(listed).toEqual([container]);
    expect(log.map(([level]) => level)).toEqual(['error', 'info']);
  },
  SLOW_MS,
);
