import { spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import {
  exampleEndpoint,
  type LoadOptions,
  metricOf,
  nginxOf,
  oldWorkersOf,
  operationsDuring,
  type RunningReactor,
  type SteadyLoad,
  startLoad,
  startReactor,
  until,
  workersOf,
} from '@reactor/testkit';

/** nginx killed, its port taken, its log pulled away, and more changes than it can follow. */

const ALPHA = 'http://127.0.0.1/';
/** Ten of the controller's rounds. */
const REST_MS = 5_000;
const PER_SECOND = 40;

let reactor: RunningReactor;

const readyz = async (): Promise<{ readonly ok: boolean; readonly problems: readonly string[] }> =>
  (await fetch(`${reactor.api}/readyz`)).json() as Promise<{ ok: boolean; problems: string[] }>;
const settled = (count: number): Promise<void> =>
  until(`alpha has ${count} ready instances and no other`, 30_000, async () => {
    const { instances } = await reactor.get<{ instances: Readonly<Record<string, number>> }>('/v1.1/endpoints/alpha/state');
    return instances['ready'] === count && Object.values(instances).reduce((a, b) => a + b, 0) === count;
  });
/** Exactly so many: without rules nothing else says how many there should be. */
async function scaleTo(count: number): Promise<void> {
  await reactor.reactor(['update', 'alpha'], exampleEndpoint({ scaling: { min_instances: count, max_instances: count } }));
  await settled(count);
}
const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
const atRest = async (): Promise<void> => {
  await settled(2);
  await until('the daemon is ready', 15_000, async () => (await readyz()).ok);
  expect(await operationsDuring(reactor, { ms: REST_MS })).toEqual([]);
};

const running: SteadyLoad[] = [];
function beginLoad(options: LoadOptions): SteadyLoad {
  const load = startLoad(options);
  running.push(load);
  return load;
}
// Those of a test that failed must not disturb the next one.
afterEach(async () => {
  for (const load of running.splice(0)) await load.stop();
}, 30_000);

beforeAll(async () => {
  reactor = await startReactor({ interval: 0.5 });
  await reactor.reactor(['manage', 'alpha'], exampleEndpoint({ scaling: { min_instances: 2 } }));
  await reactor.reactor(['start', 'alpha']);
  await settled(2);
  await until('it is served', 10_000, () => answers(ALPHA));
}, 60_000);
afterAll(() => reactor.stop(), 60_000);

test('at rest nothing is done', atRest, 60_000);

describe('the port is taken', () => {
  test('the endpoint that wants it is set aside by name, others go on and change, and it is served once the port is free', async () => {
    const load = beginLoad({ url: ALPHA, perSecond: PER_SECOND });
    const foreign = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => foreign.listen(8002, '0.0.0.0', resolve));
    try {
      await reactor.reactor(['manage', 'beta'], exampleEndpoint({ endpoint: { url: 'http://127.0.0.1:8002/' } }));
      await reactor.reactor(['start', 'beta']);
      await until('its log says so', 20_000, async () => /8002/.test(await reactor.reactor(['log', 'beta'])));
      await scaleTo(3);
      await until('all three answer', 10_000, () => load.result().instances.size >= 3);
    } finally {
      await new Promise((resolve) => foreign.close(resolve));
    }
    await until('it is served', 15_000, () => answers('http://127.0.0.1:8002/'));
    await scaleTo(2);
    expect((await load.stop()).failures).toEqual([]);
    await reactor.reactor(['unmanage', 'beta']);
    await until(
      'it is gone',
      20_000,
      async () =>
        (await reactor.dockerCli(['ps', '-aq', '--filter', 'label=reactor.endpoint=beta'])).trim() === '' &&
        !(await answers('http://127.0.0.1:8002/')),
    );
    await atRest();
  }, 120_000);
});

describe('nginx is killed', () => {
  test('a worker: the master replaces it, and at most what it was answering is lost', async () => {
    const load = beginLoad({ url: ALPHA, perSecond: PER_SECOND });
    const { master } = nginxOf(reactor);
    for (const worker of workersOf(master)) process.kill(worker, 'SIGKILL');
    await until('new workers serve', 5_000, () => workersOf(master).length > 0);
    await until('requests are answered', 5_000, () => answers(ALPHA));
    const { failures } = await load.stop();
    expect(failures.length).toBeLessThanOrEqual(3);
    await atRest();
  }, 60_000);

  test('the master: its workers serve on until a new one is there', async () => {
    const load = beginLoad({ url: ALPHA, perSecond: PER_SECOND });
    const { master } = nginxOf(reactor);
    process.kill(master, 'SIGKILL');
    await until(
      'another master runs',
      10_000,
      () => nginxOf(reactor).master !== master && workersOf(nginxOf(reactor).master).length > 0,
    );
    await until('requests are answered', 5_000, () => answers(ALPHA));
    const { failures, sent } = await load.stop();
    console.log(`master killed: ${failures.length} of ${sent} requests failed`);
    // The port is closed while the orphaned workers leave it and the new master takes it.
    expect(failures.length).toBeLessThanOrEqual(PER_SECOND / 2);
    await atRest();
  }, 60_000);

  test('and its pid file names somebody else: that process never gets a signal', async () => {
    const heard = join(reactor.directory, 'heard');
    const script = `for (const s of ['SIGHUP','SIGUSR1','SIGUSR2','SIGQUIT','SIGTERM','SIGINT','SIGWINCH']) process.on(s, () => require('fs').appendFileSync(${JSON.stringify(heard)}, s + '\\n')); process.title = 'nginx: master process nginx'; setInterval(() => {}, 1000); console.log('listening')`;
    const victim = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await new Promise((resolve) => victim.stdout.once('data', resolve));
      const { master } = nginxOf(reactor);
      const pidFile = join(reactor.data, 'nginx/nginx.pid');
      // Once beside a living master, once beside a dead one, and once before a start of the daemon.
      writeFileSync(pidFile, `${victim.pid}\n`);
      await scaleTo(3);
      process.kill(master, 'SIGKILL');
      await until(
        'another master runs',
        15_000,
        () => ![master, victim.pid].includes(nginxOf(reactor).master) && workersOf(nginxOf(reactor).master).length > 0,
      );
      await until('requests are answered', 5_000, () => answers(ALPHA));
      const second = nginxOf(reactor).master;
      writeFileSync(pidFile, `${victim.pid}\n`);
      await reactor.kill('SIGKILL');
      await reactor.start();
      await scaleTo(2);
      expect(existsSync(heard) ? readFileSync(heard, 'utf8') : '').toBe('');
      expect(victim.exitCode ?? victim.signalCode).toBe(null);
      expect(workersOf(second).length).toBeGreaterThan(0);
      writeFileSync(pidFile, `${second}\n`);
      await atRest();
    } finally {
      victim.kill('SIGKILL');
    }
  }, 120_000);
});

describe('more changes than nginx can follow', () => {
  test('100 in a second are taken up in a few reloads, and no request fails', async () => {
    const load = beginLoad({ url: ALPHA, perSecond: PER_SECOND });
    // Slow ones keep old workers alive, so that generations can pile up.
    const slow = beginLoad({ url: `${ALPHA}?wait=2000`, perSecond: 4 });
    const before = await metricOf(reactor, 'reactor_reloads_total');
    const names = Array.from({ length: 100 }, (_, index) => `many${index}`);
    const sinceMs = Date.now();
    const text = (name: string): string =>
      `[endpoint]\nurl=http://${name}.example/\nloadbalancer=nginx\nstatic_instances=127.0.0.1:9\n`;
    const statuses = await Promise.all(
      names.map(
        async (name) =>
          (
            await fetch(`${reactor.api}/v1.1/endpoints/${name}`, {
              method: 'PUT',
              body: text(name),
              headers: { 'content-type': 'text/plain' },
            })
          ).status,
      ),
    );
    expect(statuses.filter((status) => status >= 300)).toEqual([]);
    const sentS = (Date.now() - sinceMs) / 1000;
    const perGeneration = workersOf(nginxOf(reactor).master).length;
    let most = 0;
    await until('all are served', 30_000, () => {
      most = Math.max(most, oldWorkersOf(nginxOf(reactor).master).length / Math.max(1, perGeneration));
      return (
        readFileSync(join(reactor.data, 'nginx/current/nginx.conf'), 'utf8') !== '' &&
        names.every((name) => nginxText(reactor).includes(`${name}.example`))
      );
    });
    const reloads = (await metricOf(reactor, 'reactor_reloads_total')) - before;
    const tookS = (Date.now() - sinceMs) / 1000;
    console.log(
      `100 changes within ${sentS.toFixed(1)} s: ${reloads} reloads in ${tookS.toFixed(1)} s, at most ${most} old generations`,
    );
    expect(reloads).toBeLessThanOrEqual(5 + Math.ceil(tookS));
    expect(most).toBeLessThanOrEqual(6);
    for (const name of names) await fetch(`${reactor.api}/v1.1/endpoints/${name}`, { method: 'DELETE' });
    await until('none is served', 30_000, () => !nginxText(reactor).includes('.example'));
    expect((await load.stop()).failures).toEqual([]);
    expect((await slow.stop()).failures).toEqual([]);
    await atRest();
  }, 120_000);
});

describe('the access log', () => {
  const log = (): string => join(reactor.data, 'nginx/logs/access.log');
  const reopen = (): boolean => process.kill(nginxOf(reactor).master, 'SIGUSR1');
  const acts: readonly [string, () => void, () => void][] = [
    ['left alone', () => undefined, () => undefined],
    ['rotated', () => [renameSync(log(), `${log()}.1`), reopen()], () => rmSync(`${log()}.1`)],
    ['copied and truncated', () => [copyFileSync(log(), `${log()}.1`), truncateSync(log())], () => rmSync(`${log()}.1`)],
    ['deleted', () => rmSync(log()), () => undefined],
    ['replaced by a directory', () => [rmSync(log()), mkdirSync(log()), reopen()], () => rmdirSync(log())],
  ];
  test.each(acts)(
    '%s: the rate is never read as zero, and stays right',
    async (how, act, undo) => {
      await settled(2);
      const load = beginLoad({ url: ALPHA, perSecond: PER_SECOND });
      const startedMs = Date.now();
      await until('the window is full', 15_000, () => Date.now() - startedMs > 5_000);
      const seen: (number | null)[] = [];
      const watch = async (ms: number): Promise<void> => {
        const sinceMs = Date.now();
        await until('enough was seen', ms + 5_000, async () => {
          const metrics = await reactor.get<{ rate?: number }>('/v1.1/endpoints/alpha/metrics');
          seen.push(metrics.rate ?? null);
          return Date.now() - sinceMs >= ms;
        });
      };
      await watch(1_000);
      act();
      await watch(6_000);
      undo();
      await watch(5_000);
      const result = await load.stop();
      expect(result.failures).toEqual([]);
      // Per instance; there are two.
      const known = seen.flatMap((rate) => (rate === null ? [] : [rate * 2]));
      const mean = known.reduce((a, b) => a + b, 0) / known.length;
      console.log(
        `log ${how}: rate ${Math.min(...known).toFixed(1)} to ${Math.max(...known).toFixed(1)}, mean ${mean.toFixed(1)}, sent ${PER_SECOND}/s; unknown in ${seen.length - known.length} of ${seen.length}`,
      );
      expect(known.length).toBeGreaterThan(seen.length / 3);
      expect(Math.abs(mean - PER_SECOND) / PER_SECOND).toBeLessThan(0.05);
      expect(Math.min(...known)).toBeGreaterThan(PER_SECOND * 0.8);
      expect(Math.max(...known)).toBeLessThan(PER_SECOND * 1.2);
      expect(existsSync(log())).toBe(true);
    },
    60_000,
  );

  test('and afterwards all is at rest', atRest, 60_000);
});

function nginxText(of: RunningReactor): string {
  return nginxOf(of)
    .files.split(' ')
    .map((file) => file.split(':')[0]!)
    .filter((name) => name.endsWith('.conf'))
    .map((name) => readText(join(of.data, 'nginx/current', name)) + readText(join(of.data, 'nginx/current/sites', name)))
    .join('');
}

/** Empty when it is not there: a configuration is replaced as a whole at any moment. */
function readText(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
