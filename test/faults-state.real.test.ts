/* Faults of the state under a real daemon. Long, but one thing: the same questions to the embedded store and to Redis. */
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { openRedis } from '@reactor/state';
import {
  exampleEndpoint,
  freeze,
  metricOf,
  nginxOf,
  operationsAtRest,
  type RunningReactor,
  sandbox,
  startLoad,
  startReactor,
  until,
} from '@reactor/testkit';

/** The cluster state gone, slow, emptied, damaged or without room, while an endpoint is served. */

const ALPHA = 'http://127.0.0.1/';
/** Ten of the controller's rounds. */
const REST_MS = 5_000;
/** More than LMDB has room for without growing its file; small enough for a command line. */
const TOO_MUCH = 'x'.repeat(100_000);

let reactor: RunningReactor;

const containers = async (): Promise<readonly string[]> =>
  (await reactor.dockerCli(['ps', '-aq', '--no-trunc', '--filter', 'label=reactor.endpoint=alpha']))
    .split('\n')
    .filter(Boolean)
    .sort();
const readyCount = async (): Promise<number> =>
  (await reactor.get<{ instances: Readonly<Record<string, number>> }>('/v1.1/endpoints/alpha/state')).instances['ready'] ?? 0;
const readyz = async (): Promise<{ readonly ok: boolean; readonly problems: readonly string[] }> =>
  (await fetch(`${reactor.api}/readyz`)).json() as Promise<{ ok: boolean; problems: string[] }>;
const settled = (count: number): Promise<void> =>
  until(
    `alpha has ${count} ready instances and no other container`,
    30_000,
    async () => (await readyCount()) === count && (await containers()).length === count,
  );

/** What an outage may not change: containers, nginx's files and its processes. */
const untouched = async (): Promise<unknown> => ({ containers: await containers(), nginx: nginxOf(reactor) });

async function deploy(instances: number): Promise<void> {
  await reactor.reactor(['manage', 'alpha'], exampleEndpoint({ scaling: { min_instances: instances } }));
  await reactor.reactor(['start', 'alpha']);
  await settled(instances);
  await until('it is served', 10_000, async () => (await fetch(ALPHA)).ok);
  // nginx has taken all up, and its former workers are gone.
  await operationsAtRest(reactor, { ms: 100, revision: async () => '' });
}

async function scaleTo(count: number): Promise<void> {
  // Without rules nothing else says how many there should be.
  await reactor.reactor(['update', 'alpha'], exampleEndpoint({ scaling: { min_instances: count, max_instances: count } }));
  await settled(count);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

describe('the state is in Redis', () => {
  let port: number;
  let directory: string;
  let redis: number;

  /** Every write is on its disk before it is answered, as a state wants to be kept. */
  const startRedis = async (): Promise<void> => {
    const words = [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      directory,
      '--save',
      '',
      '--appendonly',
      'yes',
      '--appendfsync',
      'always',
    ];
    const child = spawn('redis-server', words, { stdio: 'ignore' });
    redis = child.pid!;
    await until('redis answers', 10_000, () => command('PING') === 'PONG');
  };
  const command = (...words: readonly string[]): string =>
    execFileSync('redis-cli', ['-p', String(port), ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  const revision = async (): Promise<string> => command('HGET', command('KEYS', '*:moment'), 'revision');
  const stored = (key: string): { readonly epoch?: number; readonly epochSeen?: { readonly epoch: number } } => {
    const text = command('HGET', command('KEYS', '*:values'), key);
    return JSON.parse(text.slice(text.indexOf(' ') + 1));
  };
  const leases = (): number => Number(command('ZCARD', command('KEYS', '*:leases')));
  const rounds = (): Promise<number> => metricOf(reactor, 'reactor_rounds_total', /idle|planned/);
  /** Since it is back: until the daemon is ready, and leads and plans again. */
  const back = async (what: string): Promise<void> => {
    const sinceMs = Date.now();
    let before = Number.POSITIVE_INFINITY;
    await until('the daemon is ready again, and has planned', 10_000, async () => {
      const done = await rounds();
      before = Math.min(before, done);
      return done > before && (await readyz()).ok;
    });
    console.log(`${what}: plans again after ${((Date.now() - sinceMs) / 1000).toFixed(1)} s`);
  };
  const atRest = async (): Promise<void> => {
    // A leader that took a new term is obeyed a moment later, and a lease that nobody heard of ends by itself.
    await until('only the host and the leader hold a lease', 30_000, () => leases() === 2);
    await until(
      'the host has obeyed the newest epoch',
      30_000,
      () => stored('hosts/vm1').epochSeen?.epoch === stored('controller/epoch').epoch,
    );
    expect(await operationsAtRest(reactor, { ms: REST_MS, revision })).toEqual([]);
  };

  beforeAll(async () => {
    port = await freePort();
    directory = mkdtempSync(join(sandbox().directory, 'redis.'));
    await startRedis();
    reactor = await startReactor({ interval: 0.5, state: `redis://127.0.0.1:${port}` });
    await deploy(2);
  }, 60_000);
  afterAll(async () => {
    await reactor.stop();
    process.kill(redis, 'SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  test('at rest nothing is written', async () => {
    await settled(2);
    await atRest();
  }, 60_000);

  test.each([1, 20])(
    'killed, and back after %i s: nothing changes meanwhile, and it goes on within 10 s',
    async (seconds) => {
      const before = await untouched();
      const load = startLoad({ url: ALPHA, perSecond: 30 });
      process.kill(redis, 'SIGKILL');
      const sinceMs = Date.now();
      if (seconds > 5)
        await until('readiness says so', 15_000, async () =>
          (await readyz()).problems.some((problem) => problem.includes('127.0.0.1')),
        );
      await until('the outage is over', 60_000, () => Date.now() - sinceMs >= seconds * 1000);
      expect(await untouched()).toEqual(before);
      await startRedis();
      await back(`Redis away for ${seconds} s`);
      await settled(2);
      await atRest();
      expect(await untouched()).toEqual(before);
      await scaleTo(3);
      await scaleTo(2);
      expect((await load.stop()).failures).toEqual([]);
      await atRest();
    },
    100_000,
  );

  test('hung for 10 s: the same', async () => {
    const before = await untouched();
    const load = startLoad({ url: ALPHA, perSecond: 30 });
    await freeze(redis);
    const sinceMs = Date.now();
    await until('the outage is over', 60_000, () => Date.now() - sinceMs >= 10_000);
    expect(await untouched()).toEqual(before);
    process.kill(redis, 'SIGCONT');
    await back('Redis hung for 10 s');
    await settled(2);
    expect((await load.stop()).failures).toEqual([]);
    expect(await untouched()).toEqual(before);
    await atRest();
  }, 100_000);

  test('a daemon started while it is away says so once, waits, ends at once when told to, and goes on when it is back', async () => {
    await reactor.kill('SIGKILL');
    const before = await untouched();
    process.kill(redis, 'SIGKILL');
    const quiet = reactor.log().length;
    const first = reactor.launch();
    const lines = (): readonly string[] => reactor.log().slice(quiet).split('\n').filter(Boolean);
    await until('it says why it waits', 20_000, () =>
      lines().some((line) => line.includes('cannot start yet') && line.includes(`127.0.0.1:${port}`)),
    );
    const saidMs = Date.now();
    await until('some more tries have failed', 20_000, () => Date.now() - saidMs > 8_000);
    expect(lines().length).toBeLessThanOrEqual(2);
    const askedMs = Date.now();
    process.kill(reactor.pid(), 'SIGTERM');
    expect(await first.ended).toBe(0);
    expect(Date.now() - askedMs).toBeLessThan(5_000);

    reactor.launch();
    await until('it waits again', 20_000, () => lines().filter((line) => line.includes('cannot start yet')).length === 2);
    await startRedis();
    await back('daemon started before Redis');
    await settled(2);
    expect(await untouched()).toEqual(before);
    await atRest();
  }, 90_000);

  test('emptied: it is restored from this host’s copy by itself, nothing is stopped and no request fails', async () => {
    const before = await untouched();
    const endpoints = await reactor.reactor(['list']);
    await atRest();
    const load = startLoad({ url: ALPHA, perSecond: 30 });
    command('FLUSHALL');
    const sinceMs = Date.now();
    await until('readiness says that the state is empty', 15_000, async () =>
      (await readyz()).problems.some((problem) => /empty/.test(problem)),
    );
    await until('the state is restored', 30_000, () => /restored the cluster state/.test(reactor.log()));
    console.log(`emptied: restored after ${((Date.now() - sinceMs) / 1000).toFixed(1)} s`);
    await back('emptied');
    await settled(2);
    expect(await reactor.reactor(['list'])).toBe(endpoints);
    expect((await load.stop()).failures).toEqual([]);
    expect(await untouched()).toEqual(before);
    await atRest();
  }, 90_000);

  test('emptied while the daemon was away: it knows the state by its copy, restores it and changes nothing', async () => {
    const before = await untouched();
    await reactor.kill('SIGKILL');
    command('FLUSHALL');
    await reactor.start();
    await settled(2);
    expect(await untouched()).toEqual(before);
    await atRest();
  }, 90_000);

  test('another cluster’s: it holds still until told to accept it, and then takes it, and its containers of before are nobody’s', async () => {
    const former = await containers();
    const clusterIdOf = (text: string): string =>
      /, cluster ([0-9a-zA-Z-]+)"/.exec(text.slice(text.lastIndexOf('serves as')))?.[1] ?? '';
    const own = clusterIdOf(reactor.log());
    await reactor.kill('SIGTERM');
    command('FLUSHALL');
    const stranger = await openRedis({ url: `redis://127.0.0.1:${port}` });
    const { clusterId: other } = await stranger.read('');
    await stranger.close();
    expect(other).not.toBe(own);

    const said = reactor.log().length;
    const load = startLoad({ url: ALPHA, perSecond: 30 });
    reactor.launch();
    await until('it says whose state it found and what can be done', 20_000, () =>
      new RegExp(`belongs to cluster ${other}.*--accept-state`).test(reactor.log().slice(said)),
    );
    const before = command('HGET', command('KEYS', '*:moment'), 'revision');
    await reactor.kill('SIGTERM');
    expect(command('HGET', command('KEYS', '*:moment'), 'revision')).toBe(before);
    expect((await load.stop()).failures).toEqual([]);
    expect(await containers()).toEqual(former);

    reactor.launch(['--accept-state']);
    await back('another cluster’s state accepted');
    expect(await reactor.reactor(['list'])).not.toMatch(/alpha/);
    // Known by its own copy from now on: no need to say so twice.
    await reactor.kill('SIGTERM');
    await reactor.start();
    expect(clusterIdOf(reactor.log())).toBe(other);
    expect(await containers()).toEqual(former);
    await atRest();
  }, 90_000);
});

describe('the state is embedded', () => {
  let disk: string;

  beforeAll(async () => {
    disk = join(sandbox().directory, 'small-disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=755', 'tmpfs', disk]);
    reactor = await startReactor({ interval: 0.5, dataDirectory: join(disk, 'data') });
    await deploy(2);
  }, 60_000);
  afterAll(async () => {
    await reactor.stop();
    execFileSync('umount', [disk]);
  }, 60_000);

  afterEach(() => rmSync(join(disk, 'filler'), { force: true }));

  const atRest = async (): Promise<void> => expect(await operationsAtRest(reactor, { ms: REST_MS })).toEqual([]);
  const fill = (): void => {
    const file = openSync(join(disk, 'filler'), 'w');
    const block = Buffer.alloc(64 * 1024, 1);
    try {
      for (let size = block.length; size > 0; ) {
        try {
          writeSync(file, block, 0, size);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          size >>= 1;
        }
      }
    } finally {
      closeSync(file);
    }
  };

  test('its disk is full: traffic goes on, the problem is named, and all is well when there is room again', async () => {
    const load = startLoad({ url: ALPHA, perSecond: 30 });
    const before = await containers();
    fill();
    const { status, stderr } = await reactor.tryReactor(['set', 'alpha', 'endpoint', 'template', TOO_MUCH]);
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/full/) });
    await reactor.dockerCli(['kill', before[0]!]);
    // What fits into the room the state already has is still done.
    await until('it is replaced, or readiness names the disk', 20_000, async () => {
      const { problems } = await readyz();
      const replaced = (await readyCount()) === 2 && !(await containers()).includes(before[0]!);
      if (!replaced && !problems.some((problem) => /full|no space/i.test(problem))) throw new Error(JSON.stringify(problems));
      return true;
    });
    console.log(`disk full: readiness says ${JSON.stringify((await readyz()).problems)}`);
    rmSync(join(disk, 'filler'));
    await until('readiness is back', 15_000, async () => (await readyz()).ok);
    await until('the killed one is replaced', 20_000, async () => !(await containers()).includes(before[0]!));
    await settled(2);
    await scaleTo(3);
    await scaleTo(2);
    expect((await load.stop()).failures).toEqual([]);
    await atRest();
  }, 90_000);

  test('the disk was full when it was killed: it starts with everything it had answered for', async () => {
    fill();
    const words = (await reactor.tryReactor(['set', 'alpha', 'endpoint', 'template', TOO_MUCH])).stderr;
    expect(words).toMatch(/full/);
    const answered = (await reactor.tryReactor(['set', 'alpha', 'endpoint', 'template', 'small'])).status === 0;
    await reactor.kill('SIGKILL');
    const full = await untouched();
    rmSync(join(disk, 'filler'));
    await reactor.start();
    // All or nothing: what was answered is there, what was refused is not.
    const { stdout } = await reactor.tryReactor(['get', 'alpha', 'endpoint', 'template']);
    expect({ small: stdout.includes('small'), much: stdout.includes('xxx') }).toEqual({ small: answered, much: false });
    await settled(2);
    expect(await untouched()).toEqual(full);
    await atRest();
  }, 60_000);

  test.each([
    ['truncated', (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2))],
    ['cut to a page', (file: string) => truncateSync(file, 4096)],
    ['flipped in one bit of every kilobyte', (file: string) => flipBits(file, 1024)],
    ['overwritten with zeros', (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size))],
  ])(
    'its file is %s: the daemon says so and ends, nothing running is touched, and a backup brings it back',
    async (_how, damage) => {
      await settled(2);
      await reactor.kill('SIGTERM');
      const file = join(reactor.data, 'state/data.mdb');
      const backup = join(sandbox().directory, 'data.mdb.backup');
      copyFileSync(file, backup);
      const before = await untouched();
      const load = startLoad({ url: ALPHA, perSecond: 30 });
      damage(file);
      const said = reactor.log().length;
      const status = await reactor.launch().ended;
      const words = reactor.log().slice(said);
      expect({ status, words }).toEqual({ status: 1, words: expect.stringContaining(join(reactor.data, 'state')) });
      expect(await untouched()).toEqual(before);
      expect((await load.stop()).failures).toEqual([]);
      copyFileSync(backup, file);
      await reactor.start();
      await settled(2);
      expect(await untouched()).toEqual(before);
    },
    60_000,
  );

  test('its seal is missing or foreign: it is not taken for an empty state', async () => {
    await settled(2);
    await reactor.kill('SIGTERM');
    const before = await untouched();
    const seal = join(reactor.data, 'state/state.json');
    const good = readFileSync(seal, 'utf8');
    for (const bad of [null, '', '{"format":"something else"}']) {
      if (bad === null) rmSync(seal);
      else writeFileSync(seal, bad);
      expect(await reactor.launch().ended).toBe(1);
      expect(await untouched()).toEqual(before);
    }
    writeFileSync(seal, good);
    await reactor.start();
    await settled(2);
    expect(await untouched()).toEqual(before);
    expect(existsSync(seal)).toBe(true);
    await atRest();
  }, 60_000);
});

/** As a failing disk does: one wrong bit here and there, in data and in the tree above it. */
function flipBits(file: string, every: number): void {
  const bytes = readFileSync(file);
  for (let at = every - 1; at < bytes.length; at += every) bytes[at]! ^= 1 << (at % 8);
  writeFileSync(file, bytes);
}
