import { createHash } from 'node:crypto';
import { setAuthKey } from '@reactor/api';
import { KEYS } from '@reactor/core';
import { PATHS } from '../src/route-table.js';
import { INI, JSON_TYPE, PYEX, type RunningApi, startApi } from './running-api.js';

/** What somebody tries who knows every route and means harm. */

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
});
afterEach(() => running.close());

const KEY = 'correct horse battery';
const routes = [...PATHS].flatMap(([path, methods]) =>
  [...methods].map(([method, route]) => ({ path, method, open: route.open })),
);
const filled = (path: string, name: string): string => path.replace(/:\w+/g, encodeURIComponent(name));

test('without the key every route but the open ones is closed, to read and to write', async () => {
  await running.client.createEndpoint('pyex', PYEX);
  await setAuthKey(running.store, KEY);
  const { revision } = await running.store.read('');
  const closed = routes.filter(({ open }) => !open);
  expect(closed.length).toBeGreaterThan(40);
  for (const { path, method } of closed) {
    const { status } = await running.ask(method, filled(path, 'pyex'));
    expect([method, path, status]).toEqual([method, path, 401]);
  }
  expect((await running.store.read('')).revision).toBe(revision);
});

test('what is open takes no writes but logging in and out', () => {
  const writes = routes.filter(({ open, method }) => open && method !== 'GET');
  expect(writes.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /v1.1/login', 'POST /v1.1/logout']);
});

test('a cookie made with the constants of 2013, or any other, opens nothing', async () => {
  await setAuthKey(running.store, KEY);
  const forged = createHash('sha1').update('gridcentricreactor').digest('hex');
  for (const cookie of [`auth_key=${KEY}`, `auth_tkt=${forged}admin!`, `session=${forged}; auth_key=${forged}`]) {
    expect((await running.ask('GET', '/v1.1/endpoints', { headers: { cookie } })).status).toBe(401);
  }
  const { headers } = await running.ask('GET', '/v1.1/endpoints', { headers: { 'x-auth-key': KEY } });
  expect(headers.get('set-cookie')).toBeNull();
});

test.each([
  '../../etc/passwd',
  '/etc/passwd',
  'a/b',
  'a\0',
  'a\nb',
  '\u202Ea',
  '🙂',
  '__proto__',
  'constructor',
  'x'.repeat(300),
  '-x',
  'x ',
  '%2e%2e',
  '$(touch /tmp/p)',
  '<img src=x onerror=alert(1)>',
  '*',
])('the name %j is refused on every route that takes one, and nothing is stored', async (name) => {
  for (const { path, method } of routes.filter(({ path }) => path.startsWith('/v1.1/') && path.includes(':'))) {
    const { status, text, headers } = await running.ask(
      method,
      filled(path, name),
      method === 'GET' ? {} : { headers: INI, body: PYEX },
    );
    // A manager may have any name of that form, and then there is none of it.
    const none = method === 'GET' && path.includes(':manager') && ['null', '[]'].includes(text);
    expect([method, path, none || (status >= 400 && status < 500)]).toEqual([method, path, true]);
    expect(headers.get('content-type')).toMatch(/^application\/json/);
  }
  expect((await running.store.read('')).revision).toBe(0);
});

test('a configuration cannot say what only Reactor may: no uid, state, epoch, label or hash of it is taken over', async () => {
  const document = {
    endpoint: { url: 'http://', port: 80, uid: 'mine', manager: 'vm9', state: 'RUNNING' },
    manager: { host: 'vm9' },
    labels: { 'reactor.cluster': 'other' },
    'cloud:docker': { image: 'x', privileged: 'true', labels: 'reactor.cluster=other', hash: 'mine', epoch: 99 },
  };
  const answer = await running.ask('PUT', '/v1.1/endpoints/pyex', { headers: JSON_TYPE, body: JSON.stringify(document) });
  expect(answer.status).toBe(200);
  const { uid, state, name, ...rest } = (await running.endpoint('pyex'))!;
  expect([uid, state, name, Object.keys(rest).sort()]).toEqual(['uid-1', 'PAUSED', 'pyex', ['changedAtMs', 'document']]);
  for (const body of ['{"action":"start","epoch":9}', '{"action":"start","state":"RUNNING","uid":"x"}']) {
    await running.ask('POST', '/v1.1/endpoints/pyex/state', { headers: JSON_TYPE, body });
    expect(await running.endpoint('pyex')).toMatchObject({ uid: 'uid-1', name: 'pyex' });
    expect(await running.endpoint('pyex')).not.toHaveProperty('epoch');
  }
});

describe('a secret', () => {
  const CANARIES = ['CANARY-ENV', 'cabba9e5'.repeat(5), 'CANARY-SALT'];
  const SECRETIVE = `${PYEX}environment=TOKEN=CANARY-ENV\n`.replace(
    '[scaling]',
    `auth_hash=${CANARIES[1]}\nauth_salt=CANARY-SALT\n[scaling]`,
  );

  test('is in no answer that was not asked for secrets, in no log and in no metric', async () => {
    await running.client.createEndpoint('pyex', SECRETIVE);
    await running.client.setValue('pyex', 'cloud:docker', 'environment', 'TOKEN=CANARY-ENV, B=1');
    await running.client.act('pyex', 'start');
    // The stream has no end; live.test.ts looks into it.
    for (const { path, method } of routes.filter(({ method, path }) => method === 'GET' && path !== '/v1.1/live')) {
      const { text } = await running.ask(method, filled(path, 'pyex'));
      for (const canary of CANARIES) expect([path, text.includes(canary)]).toEqual([path, false]);
    }
    expect(CANARIES.filter((canary) => running.logged.join('\n').includes(canary))).toEqual([]);
  });

  test.each([
    ['a variable', 'environment=CANARY-ENV'],
    ['a variable of a reserved name', 'environment=REACTOR_API=CANARY-ENV'],
    ['a key of a certificate', '[loadbalancer:nginx]\nssl_certificate=CANARY-PEM\nssl_key=CANARY-ENV'],
  ])('is not repeated when %s is wrong', async (_what, lines) => {
    const answer = await running.ask('PUT', '/v1.1/endpoints/pyex', { headers: INI, body: `${PYEX}${lines}\n` });
    expect(answer.status).toBe(422);
    expect(answer.text).not.toContain('CANARY-ENV');
    expect(running.logged.join()).not.toContain('CANARY-ENV');
  });

  test('is in the state only where it was put: the key of the API as a hash', async () => {
    await setAuthKey(running.store, 'CANARY-KEY');
    const stored = JSON.stringify([...(await running.store.read('')).entries]);
    expect(stored).not.toContain('CANARY-KEY');
    expect(stored).not.toContain(createHash('sha1').update('CANARY-KEY').digest('hex'));
    expect((await running.store.read(KEYS.settings)).entries.size).toBe(1);
  });
});

test('there is nothing for debugging to be found', async () => {
  for (const path of ['/debug', '/json', '/json/list', '/debug/pprof', '/server-status', '/.git/config', '/v1.1/debug']) {
    expect([path, (await running.ask('GET', path)).status]).toEqual([path, 404]);
  }
});
