import { createClient } from '@reactor/client';
import { KEYS, type StateStore, type StateView } from '@reactor/core';
import { aHost, until } from '@reactor/testkit';
import { rememberViews } from '../src/last-view.js';
import { PYEX, type RunningApi, startApi } from './running-api.js';

/** Reads are answered from the last view while the state is away; the store below is the one the API works with. */

let running: RunningApi;
const memory: { lastView: ReturnType<typeof rememberViews>['lastView'] } = { lastView: () => null };

beforeEach(async () => {
  running = await startApi({ lastView: () => memory.lastView() });
  const remembered = rememberViews(troubledStore(), () => running.clock.nowMs);
  memory.lastView = remembered.lastView;
  await running.client.createEndpoint('pyex', PYEX);
  await running.put(KEYS.host('host-a'), aHost('host-a'));
  await remembered.store.read('');
});
afterEach(() => running.close());

/** As a loop of the daemon reads it: not through the API. */
const troubledStore = (): StateStore => ({ ...running.store, read: (prefix, known) => running.store.read(prefix, known) });

test('what was known last is shown, with the time as of which it holds', async () => {
  const asOf = new Date(running.clock.nowMs).toISOString();
  running.outage.on = true;
  running.clock.nowMs += 60_000;
  for (const path of [
    'endpoints',
    'endpoints?detail=1',
    'hosts',
    'info',
    'instances',
    'endpoints/pyex',
    'endpoints/pyex/decision',
  ]) {
    const answer = await running.ask('GET', `/v1.1/${path}`);
    expect([path, answer.status, answer.headers.get('stale-since')]).toEqual([path, 200, asOf]);
  }
  const told: number[] = [];
  const client = createClient({ api: running.url, onStale: (asOfMs) => told.push(asOfMs) });
  expect((await client.hosts()).map(({ id }) => id)).toEqual(['host-a']);
  expect(told).toEqual([running.clock.nowMs - 60_000]);
  running.outage.on = false;
  expect((await running.ask('GET', '/v1.1/hosts')).headers.get('stale-since')).toBeNull();
});

test('nothing is written', async () => {
  running.outage.on = true;
  for (const [method, path] of [
    ['POST', '/v1.1/endpoints/pyex/state'],
    ['DELETE', '/v1.1/endpoints/pyex'],
    ['GET', '/v1.1/endpoints/pyex/log'],
  ] as const) {
    const answer = await running.ask(method, path);
    expect([method, path, answer.status, answer.body.error?.code]).toEqual([method, path, 503, 'state_unavailable']);
  }
});

test('what monitors the daemon is told that the state is away and what the daemon counts itself, but nothing old', async () => {
  const scraped = async () => (await running.ask('GET', '/metrics')).text;
  const before = await scraped();
  expect(before).toMatch(/^reactor_state_away 0$/m);
  expect(before).toMatch(/^reactor_hosts\{state="ready"\} 1$/m);
  expect(before).toMatch(/^reactor_hosts\{state="lost"\} 0$/m);
  running.outage.on = true;
  const away = await scraped();
  expect(away).toMatch(/^reactor_state_away 1$/m);
  expect(away).toMatch(/^reactor_leader 0$/m);
  expect(away).not.toContain('reactor_hosts{');
});

test('the key that was set last is still asked for', async () => {
  await running.client.setAuthKey('secret');
  await rememberedRead();
  running.outage.on = true;
  expect((await running.ask('GET', '/v1.1/hosts')).status).toBe(401);
  expect((await running.ask('GET', '/v1.1/hosts', { headers: { 'x-auth-key': 'wrong' } })).status).toBe(401);
  expect((await running.ask('GET', '/v1.1/hosts', { headers: { 'x-auth-key': 'secret' } })).status).toBe(200);
});

test('a daemon that has seen nothing yet has nothing to show', async () => {
  memory.lastView = () => null;
  running.outage.on = true;
  expect((await running.ask('GET', '/v1.1/hosts')).status).toBe(503);
});

async function rememberedRead(): Promise<void> {
  const remembered = rememberViews(troubledStore(), () => running.clock.nowMs);
  memory.lastView = remembered.lastView;
  await remembered.store.read('');
}

test.each([true, false])(
  'a read does not wait for the deadline of a state that is silent, known to be away: %s',
  async (away) => {
    const never = new Promise<never>(() => undefined);
    const view = await running.store.read('');
    await running.close();
    running = await startApi({
      store: { ...running.store, read: () => never, latest: () => never, close: async () => undefined },
      lastView: () => ({ view, traffic: new Map(), atMs: 5, away }),
    });
    expect((await running.ask('GET', '/v1.1/endpoints')).headers.get('stale-since')).toBe(new Date(5).toISOString());
  },
);

test('a state that does not answer is known to be away before its deadline, and to be back with the first answer', async () => {
  let answer: (view: StateView) => void = () => undefined;
  const view = await running.store.read('');
  const silent = { ...running.store, read: () => new Promise<StateView>((resolve) => (answer = resolve)) };
  const { store, lastView } = rememberViews(silent, () => 0);
  const first = store.read('');
  answer(view);
  await first;
  const second = store.read('');
  expect(lastView()?.away).toBe(false);
  await until('it counts as away', 5_000, () => lastView()?.away === true);
  answer(view);
  await second;
  expect(lastView()?.away).toBe(false);
});
