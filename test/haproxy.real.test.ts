import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { haproxyOf, operationsDuring, type RunningReactor, sandbox, startLoad, startReactor, until } from '@reactor/testkit';

/** An endpoint behind haproxy, through the real commands: scaled by what haproxy saw, and nginx's endpoint beside it. */

const PORT = 8101;
const SERVICE = `http://127.0.0.1:${PORT}/`;

const configuration = (url: string, loadbalancer: string, scaling: string): string => `[endpoint]
url=${url}
cloud=docker
loadbalancer=${loadbalancer}
port=5000
decommissioned_timeout=1
[scaling]
window=4
scale_down_delay=1
${scaling}
[cloud:docker]
image=${sandbox().image}
command=/usr/local/bin/runapp
`;

let reactor: RunningReactor;

beforeAll(async () => {
  reactor = await startReactor();
}, 30_000);
afterAll(() => reactor.stop(), 60_000);

interface State {
  readonly instances: Readonly<Record<string, number>>;
  readonly setAside: Readonly<Record<string, string>>;
}
const state = (endpoint: string): Promise<State> => reactor.get(`/v1.1/endpoints/${endpoint}/state`);
const ready = async (endpoint: string): Promise<number> => (await state(endpoint)).instances['ready'] ?? 0;
const total = async (endpoint: string): Promise<number> =>
  Object.values((await state(endpoint)).instances).reduce((sum, count) => sum + count, 0);
const answers = async (url = SERVICE): Promise<boolean> => (await fetch(url)).ok;
const files = () =>
  readdirSync(join(reactor.data, 'haproxy'))
    .filter((name) => name !== 'access.log')
    .map((name) => {
      const { ino, mtimeMs } = statSync(join(reactor.data, 'haproxy', name));
      return `${name} ${ino} ${mtimeMs}`;
    });

test('is served and scaled by its rate over connections that stay open, and no request fails on the way up and down', async () => {
  expect(haproxyOf(reactor.data).pid).toBeNull();
  await reactor.reactor(
    ['manage', 'shop'],
    configuration(`http://:${PORT}/`, 'haproxy', 'min_instances=1\nmax_instances=3\nrules=0 < rate < 10'),
  );
  await reactor.reactor(['start', 'shop']);
  await until('the service answers', 20_000, () => answers());
  const { pid } = haproxyOf(reactor.data);
  expect(pid).not.toBeNull();
  const load = startLoad({ url: SERVICE, perSecond: 60, keepAlive: true });
  await until('three instances answer', 30_000, () => load.result().instances.size === 3);
  const metrics = JSON.parse(await reactor.reactor(['get-metrics', 'shop']));
  expect(metrics.rate).toBeGreaterThan(5);
  expect(metrics.response).toBeGreaterThan(0);
  expect(metrics.response).toBeLessThan(1);
  await reactor.reactor(['scale', 'shop=1']);
  await until('two have drained and ended', 40_000, async () => (await total('shop')) === 1);
  await reactor.reactor(['scale', 'shop=3']);
  await until('three are ready again', 30_000, async () => (await ready('shop')) === 3);
  await until('each of them answers again', 20_000, () => load.result().instances.size >= 5);
  expect((await load.stop()).failures).toEqual([]);
  expect(haproxyOf(reactor.data).pid).toBe(pid);
  await reactor.reactor(['scale', 'shop=1']);
  await until('one is left', 40_000, async () => (await total('shop')) === 1);
}, 180_000);

test('a load balancer that is not here keeps nobody else from being served and drained', async () => {
  await reactor.reactor(
    ['manage', 'name'],
    '[endpoint]\nurl=dns://db.example\nloadbalancer=dnsmasq\nstatic_instances=10.0.0.5:80\n[loadbalancer:dnsmasq]\n',
  );
  await reactor.reactor(['manage', 'web'], configuration('http://:8102/', 'nginx', 'min_instances=2\nmax_instances=2'));
  await reactor.reactor(['start', 'web']);
  await until(
    'two of nginx are ready',
    30_000,
    async () => (await ready('web')) === 2 && (await answers('http://127.0.0.1:8102/')),
  );
  await reactor.reactor(['stop', 'web']);
  await until('they have drained', 40_000, async () => (await total('web')) === 0);
  expect(await answers()).toBe(true);
  for (const name of ['web', 'name']) await reactor.reactor(['unmanage', name]);
}, 120_000);

test('reactord killed: it serves on; started again with nothing to do: nothing is written, reloaded or started', async () => {
  const before = { haproxy: haproxyOf(reactor.data), files: files() };
  const load = startLoad({ url: SERVICE, perSecond: 20, keepAlive: true, most: 200 });
  const operations = await operationsDuring(reactor, {
    ms: 12_000,
    meanwhile: async () => {
      await reactor.kill('SIGKILL');
      expect(await answers()).toBe(true);
      await reactor.start();
      await until('the instance is adopted', 10_000, async () => (await ready('shop')) === 1);
    },
  });
  expect((await load.stop()).failures).toEqual([]);
  expect(operations).toEqual([]);
  expect({ haproxy: haproxyOf(reactor.data), files: files() }).toEqual(before);
}, 60_000);

test('haproxy killed: it is started again with what it had', async () => {
  const { pid } = haproxyOf(reactor.data);
  process.kill(pid!, 'SIGKILL');
  await until('another haproxy answers', 10_000, async () => haproxyOf(reactor.data).pid !== pid && (await answers()));
  expect(await total('shop')).toBe(1);
  expect(await state('shop')).toMatchObject({ setAside: {} });
}, 30_000);

test('unmanage ends the instances, frees the address and stops haproxy', async () => {
  await reactor.reactor(['unmanage', 'shop']);
  const containers = () => reactor.dockerCli(['ps', '-aq', '--filter', 'label=reactor.endpoint=shop']);
  await until('no container is left', 40_000, async () => (await containers()).trim() === '');
  const listens = () =>
    fetch(SERVICE).then(
      () => true,
      () => false,
    );
  await until('nothing listens any more', 20_000, async () => !(await listens()));
  await until('no haproxy is left', 20_000, () => haproxyOf(reactor.data).pid === null);
}, 90_000);
