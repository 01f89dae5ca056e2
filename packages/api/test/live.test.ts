import { setAuthKey } from '@reactor/api';
import type { LiveEvent } from '@reactor/client';
import { KEYS, LOGS, TOPICS } from '@reactor/core';
import { until } from '@reactor/testkit';
import { anInstance } from './placed-instances.js';
import { JSON_TYPE, PYEX, type RunningApi, startApi } from './running-api.js';

/** The stream that open pages follow. */

interface Followed {
  /** What came so far. */
  readonly events: readonly { readonly event: string; readonly data: LiveEvent | null }[];
  /** The rows of a board as a page has them now. */
  rows(event: string): Readonly<Record<string, unknown>>;
  readonly status: number;
  readonly type: string | null;
  readonly ended: () => boolean;
  /** After how long to come back, once it was told. */
  readonly retryMs: () => number | null;
  stop(): void;
}

let running: RunningApi;
const open: Followed[] = [];
beforeEach(async () => {
  running = await startApi();
});
afterEach(async () => {
  for (const each of open.splice(0)) each.stop();
  await running.close();
});

async function follow(path = '/v1.1/live', headers: Readonly<Record<string, string>> = {}): Promise<Followed> {
  const stop = new AbortController();
  const response = await fetch(`${running.url}${path}`, { signal: stop.signal, headers });
  const events: { event: string; data: LiveEvent | null }[] = [];
  const boards = new Map<string, Record<string, unknown>>();
  let ended = false;
  let retryMs: number | null = null;
  const take = (text: string): void => {
    const retry = /^retry: (\d+)$/m.exec(text)?.[1];
    if (retry !== undefined) retryMs = Number(retry);
    const event = /^event: (.*)$/m.exec(text)?.[1];
    if (event === undefined) return;
    const data = /^data: (.+)$/m.exec(text)?.[1];
    const told = data === undefined ? null : (JSON.parse(data) as LiveEvent);
    events.push({ event, data: told });
    if (told === null) return;
    const rows = { ...(told.whole ? {} : boards.get(event)), ...told.rows };
    for (const key of told.gone) delete rows[key];
    boards.set(event, rows);
  };
  const read = async (): Promise<void> => {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      const parts = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n\n');
      rest = parts.pop() ?? '';
      for (const part of parts) take(part);
    }
  };
  void read()
    .catch(() => {})
    .finally(() => {
      ended = true;
    });
  const followed: Followed = {
    events,
    rows: (event) => boards.get(event) ?? {},
    status: response.status,
    type: response.headers.get('content-type'),
    ended: () => ended,
    retryMs: () => retryMs,
    stop: () => stop.abort(),
  };
  open.push(followed);
  return followed;
}

test('tells all rows first, and then those that change', async () => {
  await running.client.createEndpoint('pyex', PYEX);
  const page = await follow();
  expect([page.status, page.type]).toEqual([200, 'text/event-stream']);
  await until('the board is there', 5_000, () => page.events.length > 0);
  expect(page.events[0]?.data).toMatchObject({ name: null, whole: true });
  expect(page.rows('overview')).toMatchObject({
    cluster: { leader: null, version: '9.9.9', host: 'host-a', alarms: [], staleSinceMs: null, problem: null },
    'endpoint/pyex': { name: 'pyex', state: 'PAUSED', url: 'http://', instances: 0, ready: 0, target: null, sentence: null },
  });
  await running.client.act('pyex', 'start');
  await running.client.createEndpoint('other', { endpoint: { url: 'http://other/' } });
  await until('the change is told', 5_000, () => page.rows('overview')['endpoint/other'] !== undefined);
  await until('and the other one', 5_000, () => JSON.stringify(page.rows('overview')['endpoint/pyex']).includes('RUNNING'));
  const patches = page.events.slice(1).flatMap(({ data }) => (data === null ? [] : [data]));
  expect(patches.length).toBeGreaterThan(0);
  expect(patches.every(({ whole, rows }) => !whole && !('cluster' in rows))).toBe(true);
  await running.client.removeEndpoint('other');
  await until('it is gone', 5_000, () => page.rows('overview')['endpoint/other'] === undefined);
});

test('tells of the endpoint that is looked at, under any of its names', async () => {
  await running.client.createEndpoint('pyex', PYEX);
  await running.client.setValue('pyex', 'scaling', 'rules', '0 < rate < 1');
  await running.put(KEYS.instance('i1'), anInstance('i1', { host: 'host-b' }));
  await running.ask('POST', '/v1.1/endpoints/pyex/alias', { headers: JSON_TYPE, body: '"too"' });
  const page = await follow('/v1.1/live?endpoint=too');
  await until('the board is there', 5_000, () => page.rows('endpoint')['status'] !== undefined);
  expect(page.rows('endpoint')).toMatchObject({
    status: { name: 'pyex', state: 'PAUSED', scaling: { minInstances: 1, maxInstances: 5 } },
    'instance/i1': { id: 'i1', host: 'host-b' },
  });
  await running.store.append(LOGS.endpoint('pyex'), [{ atMs: 1, level: 'info', event: 'X', message: 'hello' }]);
  await until('the line is told', 5_000, () => JSON.stringify(page.rows('endpoint')).includes('hello'));
  const answer = await follow('/v1.1/live?endpoint=never');
  await until('there is none', 5_000, () => answer.rows('endpoint')['status'] !== undefined);
  expect(answer.rows('endpoint')).toEqual({ status: { missing: true } });
  expect((await running.ask('GET', '/v1.1/live?endpoint=../x')).status).toBe(400);
});

test('however many follow, the state is read for all at once', async () => {
  let reads = 0;
  let answer = (): void => {};
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const { store } = running;
  const latest = store.latest.bind(store);
  store.latest = async (prefix) => {
    if (prefix === TOPICS.decisions) {
      reads++;
      await held;
    }
    return latest(prefix);
  };
  const pages = await Promise.all(Array.from({ length: 20 }, () => follow()));
  await until('all of them wait', 5_000, () => reads > 0 && pages.every(({ retryMs }) => retryMs() !== null));
  expect([reads, pages.flatMap(({ events }) => events)]).toEqual([1, []]);
  answer();
  await until('all have the board', 10_000, () => pages.every(({ events }) => events.length > 0));
});

test('a page that finds no place is told the board once, and to come back later', async () => {
  const pages = await Promise.all(Array.from({ length: 64 }, () => follow()));
  await until('all have the board', 10_000, () => pages.every(({ events }) => events.length > 0));
  const late = await follow();
  await until('it ends', 5_000, () => late.ended());
  expect([late.events.map(({ data }) => data?.whole), late.retryMs()]).toEqual([[true], 10_000]);
  pages[0]?.stop();
  await until('there is a place again', 5_000, async () => {
    const next = await follow();
    await until('it is told when to come back', 5_000, () => next.retryMs() !== null);
    return next.retryMs() === 1_000;
  });
});

test('while the state is away the page is told that what it shows is old, or that nothing is known', async () => {
  await running.client.createEndpoint('pyex', PYEX);
  const page = await follow();
  await until('the board is there', 5_000, () => page.events.length > 0);
  running.outage.on = true;
  await until('the problem is told', 5_000, () =>
    JSON.stringify(page.rows('overview')['cluster']).includes('connection refused'),
  );
  expect(page.rows('overview')['endpoint/pyex']).toBeDefined();
  running.outage.on = false;
  await until('it is over', 5_000, () => JSON.stringify(page.rows('overview')['cluster']).includes('"problem":null'));
});

test('ends when the key is changed and when its login ends, and then opens nothing', async () => {
  await setAuthKey(running.store, 'a key');
  const withKey = await follow('/v1.1/live', { 'x-auth-key': 'a key' });
  await until('the board is there', 5_000, () => withKey.events.length > 0);
  const login = await running.ask('POST', '/v1.1/login', { headers: JSON_TYPE, body: '{"auth_key":"a key"}' });
  const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
  const withLogin = await follow('/v1.1/live', { cookie });
  await until('the board is there', 5_000, () => withLogin.events.length > 0);
  await running.ask('POST', '/v1.1/logout', { headers: { cookie } });
  await until('the stream of the login ends', 5_000, () => withLogin.ended());
  expect(withKey.ended()).toBe(false);
  await setAuthKey(running.store, 'another');
  await until('so does that of the key', 5_000, () => withKey.ended());
  expect((await follow('/v1.1/live', { cookie })).status).toBe(401);
});

test('shows no secret of a configuration', async () => {
  await running.client.createEndpoint('pyex', `${PYEX}environment=TOKEN=CANARY\n`);
  const page = await follow('/v1.1/live?endpoint=pyex');
  await until('the board is there', 5_000, () => page.rows('endpoint')['status'] !== undefined);
  expect(JSON.stringify(page.events)).not.toContain('CANARY');
});

test('the schema names every key with what it accepts', async () => {
  const { text } = await running.ask('GET', '/v1.1/schema/endpoint');
  const { keys } = JSON.parse(text) as { readonly keys: readonly { readonly section: string; readonly key: string }[] };
  expect(keys).toContainEqual({
    section: 'scaling',
    key: 'max_instances',
    type: 'whole number, 0 to 10 000',
    default: expect.any(String),
    description: expect.any(String),
    words: [],
    lines: false,
    secret: false,
  });
  expect(keys.find(({ key }) => key === 'loadbalancer')).toMatchObject({ words: ['nginx', 'haproxy', 'dnsmasq', 'tcp'] });
});
