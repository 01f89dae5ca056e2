import { fileURLToPath } from 'node:url';
import { type RunningReactor, sandbox, startReactor, until } from '@reactor/testkit';

/**
 * What instances say of themselves, with the real command run inside a real container and nothing but the token it was given;
 * and what a manager is told from afar.
 */

const CLI = fileURLToPath(new URL('../packages/cli/dist', import.meta.url));

const CONFIGURATION = `[endpoint]
url=http://:8141/
cloud=docker
loadbalancer=nginx
port=5000
decommissioned_timeout=1
[scaling]
max_instances=3
window=4
scale_down_delay=1
rules=2 < queue < 10
[cloud:docker]
image=${sandbox().image}
command=/usr/local/bin/runapp
volumes=${CLI}:/reactor:ro
`;

let reactor: RunningReactor;

beforeAll(async () => {
  // Beyond loopback, so that containers reach it; and so with a key, which is told once.
  reactor = await startReactor({ configuration: '[api]\nlisten=:8080\n' });
  process.env['REACTOR_PASSWORD'] = /shown only now: (\S+)/.exec(reactor.log())?.[1] ?? '';
  await reactor.reactor(['manage', 'other'], '[endpoint]\nurl=http://:8142/\nloadbalancer=nginx\nstatic_instances=10.0.0.5:80\n');
  await reactor.reactor(['manage', 'pyex'], CONFIGURATION);
  await reactor.reactor(['start', 'pyex']);
  await until('one is ready', 20_000, async () => (await ready()).length === 1);
}, 60_000);
afterAll(async () => {
  delete process.env['REACTOR_PASSWORD'];
  await reactor.stop();
}, 60_000);

const json = async <T>(words: readonly string[]): Promise<T> => JSON.parse(await reactor.reactor([...words, '--json'])) as T;
const ready = async (): Promise<readonly string[]> => {
  const rows = await json<{ readonly id: string; readonly state: string }[]>(['ps', 'pyex']);
  return rows.filter(({ state }) => state === 'ready').map(({ id }) => id);
};
const explained = (): Promise<string> => reactor.reactor(['explain', 'pyex']);

/** Runs `reactor WORDS` in the container of an instance, which knows no key. */
async function inside(instance: string, words: readonly string[], input = ''): Promise<string> {
  const container = await reactor.dockerCli(['ps', '-q', '--filter', `label=reactor.instance=${instance}`]);
  return reactor.dockerCli(['exec', '-i', container.trim(), 'node', '/reactor/reactor.mjs', ...words], input);
}

test('an instance’s token opens its own endpoint, unnamed, and no other', async () => {
  const [id] = await ready();
  expect(JSON.parse(await inside(id!, ['state']))).toMatchObject({ state: 'RUNNING' });
  for (const words of [['state', 'other'], ['post', 'other'], ['show'], ['stop', 'other'], ['list']]) {
    await expect(inside(id!, words, 'hello')).rejects.toThrow(/key is missing or wrong/);
  }
  await inside(id!, ['post'], 'said by itself');
  expect(await reactor.reactor(['log', 'pyex'])).toContain('said by itself');
  expect(await reactor.reactor(['log', 'other'])).not.toContain('hello');
}, 30_000);

test('an instance’s own metric scales its endpoint up; when it falls silent it is unknown, and nothing is taken away', async () => {
  const [id] = await ready();
  await until('three are ready by what one of them posts', 30_000, async () => {
    await inside(id!, ['set-metrics'], '{"queue": [2, 30]}');
    return (await ready()).length === 3;
  });
  expect(await json(['get-metrics', 'pyex'])).toMatchObject({ queue: 30 });
  // Older than it counts, by more than the window and every delay of a retirement.
  await until('it is long unknown', 40_000, async () =>
    /no data for queue: metrics from \S+ are (?:1[5-9]|[2-9]\d) s old/.test(await explained()),
  );
  expect(await json(['get-metrics', 'pyex'])).not.toHaveProperty('queue');
  expect(await ready()).toHaveLength(3);
}, 100_000);

test('posted for the endpoint as a whole, the same metric takes instances away again', async () => {
  await until('one is left', 40_000, async () => {
    await reactor.reactor(['set-metrics', 'pyex'], '{"queue": 0.1}');
    return (await json<unknown[]>(['ps', 'pyex'])).length === 1;
  });
}, 60_000);

test('a manager takes up what it is given from afar, and lets it go again', async () => {
  expect(await json(['manager-info', 'vm1'])).toMatchObject({ loadbalancers: expect.arrayContaining(['nginx', 'tcp']) });
  await reactor.reactor(['manager-update', 'vm1'], '[cloud:docker]\nslots=25\n');
  const slots = async () => (await json<{ readonly slots: number }[]>(['hosts']))[0]?.slots;
  await until('it offers so many', 20_000, async () => (await slots()) === 25);
  await reactor.reactor(['scale', 'pyex=3']);
  await until(
    'two fill it and the third waits',
    20_000,
    async () => (await ready()).length === 2 && /host with room/.test(await explained()),
  );
  expect(await reactor.reactor(['manager-log', 'vm1'])).toContain('taken up: cloud:docker.slots');
  await reactor.reactor(['manager-remove', 'vm1']);
  await until('the third has room', 20_000, async () => (await ready()).length === 3);
}, 60_000);
