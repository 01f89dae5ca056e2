import { type Api, createApi } from '@reactor/api';
import { decide, type Json, NO_HISTORY, parseRules, TOPICS } from '@reactor/core';
import { createFakeStore } from '@reactor/testkit';
import { type Surroundings, typed } from './typed.js';

/** The walk-through against a real API server; only the controller and its host are missing. */

const DOCKER_CONF = `[endpoint]
url=http://
cloud=docker
loadbalancer=nginx
port=5000

[scaling]
min_instances=1
max_instances=5

[cloud:docker]
image=eb2b727f547d
command=/usr/local/bin/runapp
`;
const NOW_MS = 1_700_000_000_000;

let store: ReturnType<typeof createFakeStore>;
let api: Api;
let address: string;
beforeEach(async () => {
  store = createFakeStore({ now: () => NOW_MS });
  let ids = 0;
  api = createApi({
    store,
    now: () => NOW_MS,
    newId: () => `uid-${++ids}`,
    version: '9.9.9',
    host: 'vm1',
    health: () => ({ ok: true, problems: [] }),
    log: () => {},
  });
  address = `127.0.0.1:${(await api.listen('127.0.0.1', 0)).port}`;
});
afterEach(async () => {
  await api.close();
  await store.close();
});

const reactor = (argv: readonly string[], around: Surroundings = {}) =>
  typed(argv, { ...around, nowMs: NOW_MS, env: { REACTOR_API: address, ...around.env } });

/** Does it and expects success without a remark; answers what it printed. */
async function done(argv: readonly string[], around: Surroundings = {}): Promise<string> {
  const { status, stdout, stderr } = await reactor(argv, around);
  expect({ argv, status, stderr }).toEqual({ argv, status: 0, stderr: '' });
  return stdout;
}

const manage = () => done(['manage', 'pyex'], { stdin: DOCKER_CONF });

test('the walk-through of the documentation works as it is written', async () => {
  expect((await reactor(['unmanage', 'apihttp'])).status).toBe(0);
  expect(await manage()).toBe('');
  expect(await done(['start', 'pyex'])).toBe('');
  const set = await reactor(['set', 'pyex', 'scaling', 'rules', '0 < rate < 1']);
  expect(set).toMatchObject({ status: 0, stdout: '' });
  expect(set.stderr).toMatch(/^reactor: warning: scaling\.rules: While there is any traffic .*0\.3 < rate < 1.*\n$/);
  expect(await done(['get', 'pyex', 'scaling', 'rules'])).toBe('0 < rate < 1\n');
  expect(JSON.parse(await done(['get-metrics', 'pyex']))).toEqual({ active: 0 });
  expect(await done(['get-metrics', 'pyex', '--python'])).toBe("{u'active': 0.0}\n");
  expect(await done(['list'])).toBe('pyex\n');
  expect(JSON.parse(await done(['state', 'pyex']))).toMatchObject({ state: 'RUNNING', active: [] });
});

test('managing again replaces the configuration and keeps the state', async () => {
  await manage();
  await done(['start', 'pyex']);
  await done(['set', 'pyex', 'scaling', 'max_instances', '7']);
  await manage();
  expect(await done(['get', 'pyex', 'scaling', 'max_instances'])).toBe('5\n');
  expect(JSON.parse(await done(['state', 'pyex'])).state).toBe('RUNNING');
});

test('what show --ini prints can be managed again', async () => {
  await manage();
  const ini = await done(['show', 'pyex', '--ini']);
  const before = await done(['show', 'pyex']);
  await done(['manage', 'pyex'], { stdin: ini });
  expect(await done(['show', 'pyex'])).toBe(before);
});

test('manage --update merges, and creates what is not there', async () => {
  await done(['manage', '--update', 'pyex'], { stdin: DOCKER_CONF });
  await done(['manage', '-u', 'pyex'], { stdin: '[scaling]\nmax_instances=9\n' });
  expect(JSON.parse(await done(['show', 'pyex'])).scaling).toEqual({ min_instances: '1', max_instances: '9' });
});

test('a refused value is one line that names it, and nothing is changed', async () => {
  await manage();
  const { status, stdout, stderr } = await reactor(['set', 'pyex', 'scaling', 'rules', 'rate']);
  expect([status, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^reactor: .*rate.*\n$/);
  expect(stderr.split('\n').length).toBe(2);
  expect(await done(['get', 'pyex', 'scaling', 'rules'])).toBe('');
});

test('the log shows what was done and said, and watch follows it', async () => {
  await manage();
  await done(['start', 'pyex']);
  await done(['post', 'pyex'], { stdin: 'deploying 1.4\n' });
  const lines = (await done(['log', 'pyex'])).trimEnd().split('\n');
  expect(lines.length).toBeGreaterThanOrEqual(3);
  for (const line of lines) expect(line).toMatch(/^1700000000\.000 (INFO|WARNING|ERROR) \S/);
  expect(lines.at(-1)).toContain('deploying 1.4');
  const watched = await reactor(['watch', 'pyex'], { brokenAfter: lines.length - 1 });
  expect(watched).toEqual({ status: 0, stdout: `${lines.slice(0, -1).join('\n')}\n`, stderr: '' });
});

test('explain reads the decision that the controller published', async () => {
  await manage();
  expect(await done(['explain', 'pyex'])).toContain('nothing has been decided yet');
  const rules = parseRules('0 < rate < 1');
  if (!rules.ok) throw new Error(rules.fault.message);
  const silent = { metrics: {}, requests: 0, partial: false };
  const { record } = decide({
    endpoint: 'pyex',
    atMs: NOW_MS,
    epoch: 1,
    state: 'RUNNING',
    scaling: { minInstances: 1, maxInstances: 5, rules: rules.value, rampLimit: 5, windowMs: 10_000, scaleDownDelayMs: 30_000 },
    instances: 1,
    stable: silent,
    burst: silent,
    history: NO_HISTORY,
  });
  const report = { atMs: NOW_MS, record, steps: [] } as unknown as Json;
  await store.publish({ [TOPICS.decision('pyex')]: report }, 60_000);
  const text = await done(['explain', 'pyex']);
  expect(text.split('\n')[0]).toBe(`pyex: ${record.sentence}`);
  expect(text).toContain('\nSteps\n  none\n');
  expect(JSON.parse(await done(['explain', 'pyex', '--json']))).toMatchObject({
    ...(report as object),
    explanation: { whyNotMore: expect.any(String) },
  });
});

test('every verb answers with JSON when asked to', async () => {
  await manage();
  const verbs = [
    'list',
    'list -l',
    'show pyex',
    'state pyex',
    'instances pyex',
    'ips pyex',
    'get-metrics pyex',
    'log pyex',
    'explain pyex',
  ];
  for (const line of [...verbs, 'info', 'hosts', 'manager-active', 'url', 'version --server', 'get pyex endpoint url']) {
    const stdout = await done([...line.split(' '), '--json']);
    expect(() => JSON.parse(stdout)).not.toThrow();
  }
});

test('the key that passwd sets is asked for from then on', async () => {
  await done(['passwd'], { passwords: ['correct-horse', 'correct-horse'] });
  expect((await reactor(['list'])).status).toBe(1);
  const wrong = await reactor(['list'], { env: { REACTOR_PASSWORD: 'battery-staple' } });
  expect([wrong.status, wrong.stdout]).toEqual([1, '']);
  expect(wrong.stderr).toMatch(/^reactor: .+\n$/);
  expect(await done(['list'], { env: { REACTOR_PASSWORD: 'correct-horse' } })).toBe('');
});

test('an endpoint that is not there is told in one line', async () => {
  for (const verb of ['show', 'start', 'state', 'instances', 'ips', 'get-metrics', 'log', 'watch', 'explain']) {
    const { status, stdout, stderr } = await reactor([verb, 'nobody']);
    expect([verb, status, stdout]).toEqual([verb, 1, '']);
    expect(stderr).toMatch(/^reactor: .*nobody.*\n$/);
  }
});
