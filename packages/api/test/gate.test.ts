import { createApi, hasAuth, setAuthKey } from '@reactor/api';
import { createClient } from '@reactor/client';
import { KEYS, ReactorError } from '@reactor/core';
import { createFakeStore } from '@reactor/testkit';
import { type Answer, INI, JSON_TYPE, PYEX, type RunningApi, sendRaw, startApi } from './running-api.js';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
});
afterEach(() => running.close());

const KEY = 'correct horse battery';
const list = (headers: Record<string, string> = {}): Promise<Answer> => running.ask('GET', '/v1.1/endpoints', { headers });

describe('with a key set', () => {
  beforeEach(() => setAuthKey(running.store, KEY));

  test('it is taken from either header, and the client sends it', async () => {
    expect((await list({ 'x-auth-key': KEY })).status).toBe(200);
    expect((await list({ authorization: `Bearer ${KEY}` })).status).toBe(200);
    expect(await createClient({ api: running.url, key: KEY }).endpoints()).toEqual([]);
  });

  test('a key that is missing, wrong, long, in the URL or given twice is answered with the same words', async () => {
    const rejected = [
      await list(),
      await list({ 'x-auth-key': 'wrong' }),
      await list({ 'x-auth-key': '' }),
      await list({ 'x-auth-key': 'x'.repeat(10_000) }),
      await list({ 'x-auth-key': KEY, authorization: `Bearer ${KEY}` }),
      await list({ authorization: `Basic ${Buffer.from(KEY).toString('base64')}` }),
      await running.ask('GET', `/v1.1/endpoints?auth_key=${encodeURIComponent(KEY)}`),
      await running.ask('GET', `/v1.1/endpoints?auth_key=${encodeURIComponent(KEY)}`, { headers: { 'x-auth-key': KEY } }),
    ];
    expect(rejected.map(({ status }) => status)).toEqual(rejected.map(() => 401));
    expect(new Set(rejected.map(({ text }) => text)).size).toBe(1);
    const twice = `GET /v1.1/endpoints HTTP/1.1\r\nHost: h\r\nX-Auth-Key: ${KEY}\r\nX-Auth-Key: ${KEY}\r\nConnection: close\r\n\r\n`;
    expect(await sendRaw(running.port, twice)).toMatch(/^HTTP\/1\.1 401 /);
  });

  test('every length of key is answered, never with a failure of the server', async () => {
    for (const length of [1, 255, 256, 257, 1_000, 5_000, 10_000]) {
      const { status } = await list({ 'x-auth-key': 'k'.repeat(length) });
      expect([401, 429]).toContain(status);
    }
  });

  test('a body is not read for those without it', async () => {
    const head = 'PUT /v1.1/endpoints/pyex HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 200000\r\n\r\n';
    const answer = await sendRaw(running.port, head);
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    expect(answer).toMatch(/connection: close/i);
  });

  test('wrong keys are limited per address while a key that was right goes on working', async () => {
    expect((await list({ 'x-auth-key': KEY })).status).toBe(200);
    const statuses: number[] = [];
    for (let guess = 0; guess < 14; guess++) statuses.push((await list({ 'x-auth-key': `guess-${guess}` })).status);
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.at(-1)).toBe(429);
    const limited = await list({ 'x-auth-key': 'guess' });
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await list({ 'x-auth-key': KEY })).status).toBe(200);
    running.clock.nowMs += 6_001;
    expect((await list({ 'x-auth-key': 'guess' })).status).toBe(401);
  });

  test('strangers who guess through a load balancer of this machine lock out themselves, not this machine nor others', async () => {
    const through = (address: string, key: string) => list({ 'x-forwarded-for': `127.0.0.1, ${address}`, 'x-auth-key': key });
    for (let guess = 0; guess < 10; guess++) expect((await through('9.9.9.9', `guess-${guess}`)).status).toBe(401);
    expect((await through('9.9.9.9', 'guess')).status).toBe(429);
    expect((await through('9.9.9.8', 'guess')).status).toBe(401);
    expect((await list({ 'x-auth-key': 'guess-here' })).status).toBe(401);
    expect((await through('9.9.9.7', KEY)).status).toBe(200);
    // Whoever claims another address with each guess is one of many, and all together have 30.
    for (let guess = 0; guess < 19; guess++) await through(`7.7.7.${guess}`, `guess-${guess}`);
    expect((await through('6.6.6.6', 'guess')).status).toBe(429);
    expect((await list({ 'x-auth-key': 'another-guess-here' })).status).toBe(401);
  });

  test('guesses sent at once count like guesses sent one after the other', async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => list({ 'x-auth-key': `guess-${index}` })));
    expect(answers.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(10);
    expect(answers.every(({ status }) => status === 401 || status === 429)).toBe(true);
  });

  test('many requests at once with the right key are all let in, also when it was never seen before', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => list({ 'x-auth-key': KEY })));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  });

  test('a new key ends the old one at once', async () => {
    const before = createClient({ api: running.url, key: KEY });
    await before.setAuthKey('another');
    await expect(before.endpoints()).rejects.toMatchObject({ code: 'unauthorized' });
    const after = createClient({ api: running.url, key: 'another' });
    expect(await after.endpoints()).toEqual([]);
    await after.setAuthKey(null);
    expect(await running.client.endpoints()).toEqual([]);
  });

  test('nobody is let in while the state cannot be read, not even with the right key', async () => {
    expect((await list({ 'x-auth-key': KEY })).status).toBe(200);
    running.outage.on = true;
    expect((await list({ 'x-auth-key': KEY })).status).toBe(503);
    expect((await list()).status).toBe(503);
  });

  test('settings that cannot be understood let nobody in', async () => {
    await running.put(KEYS.settings, { url: null, auth: { scheme: 'sha1', hash: 'x' } });
    expect([(await list()).status, (await list({ 'x-auth-key': KEY })).status]).toEqual([503, 503]);
    await expect(hasAuth(running.store)).rejects.toMatchObject({ code: 'state_foreign' });
  });

  test('only what tells nothing is open', async () => {
    const statuses = await Promise.all(
      ['/', '/healthz', '/readyz', '/metrics', '/v1.1/info'].map(async (path) => (await running.ask('GET', path)).status),
    );
    expect(statuses).toEqual([200, 200, 200, 401, 401]);
  });
});

describe('setting the key', () => {
  test('stores a salted scrypt hash and never the key', async () => {
    await setAuthKey(running.store, KEY);
    const first = JSON.stringify([...(await running.store.read('')).entries]);
    await setAuthKey(running.store, KEY);
    const second = JSON.stringify([...(await running.store.read('')).entries.values()].map(({ value }) => value));
    expect(first).not.toContain(KEY);
    expect(first).toMatch(/"scheme":"scrypt","n":32768/);
    expect(second).not.toBe(first);
    expect(running.logged.join()).not.toContain(KEY);
  });

  test('of several daemons that invent a key at once only one succeeds', async () => {
    const written = await Promise.all(['a', 'b', 'c'].map((key) => setAuthKey(running.store, key, { onlyIfUnset: true })));
    expect(written.filter((won) => won)).toHaveLength(1);
    expect(await hasAuth(running.store)).toBe(true);
  });

  test('leaves the URL as it is', async () => {
    await running.client.setUrl('http://reactor.example/');
    await setAuthKey(running.store, KEY);
    expect(await createClient({ api: running.url, key: KEY }).url()).toBe('http://reactor.example/');
  });

  test.each(['', ' ', 'a\nb', 'ключ', 'x'.repeat(257), ' lead'])('the key %j is refused without being repeated', async (key) => {
    const answer = await running.ask('POST', '/v1.1/auth_key', { headers: JSON_TYPE, body: JSON.stringify({ auth_key: key }) });
    expect(answer.status).toBe(400);
    expect(await hasAuth(running.store)).toBe(false);
  });

  test('it cannot be cleared where others than this machine would get in', async () => {
    const store = createFakeStore({ now: () => 0 });
    const api = createApi({
      store,
      now: () => 0,
      newId: () => 'x',
      version: '1',
      host: 'h',
      health: () => ({ ok: true, problems: [] }),
      log: () => undefined,
    });
    const { port } = await api.listen('0.0.0.0', 0);
    await setAuthKey(store, KEY);
    const client = createClient({ api: `http://127.0.0.1:${port}`, key: KEY });
    await expect(client.setAuthKey(null)).rejects.toThrow(/listens on 0\.0\.0\.0/);
    expect(await hasAuth(store)).toBe(true);
    await api.close();
  });
});

describe('without a key', () => {
  test.each(['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'localhost.evil.example'])(
    'the host %s is refused',
    async (host) => {
      const answer = await sendRaw(running.port, `GET /v1.1/endpoints HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 421 /);
    },
  );

  test.each(['localhost', 'localhost:8080', '127.0.0.1', '[::1]:8080', '10.0.0.7:1', 'Reactor.Example'])(
    'the host %s is fine',
    async (host) => {
      await running.client.setUrl('http://reactor.example/base');
      const answer = await sendRaw(running.port, `GET /v1.1/endpoints HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    },
  );

  test.each(['x-forwarded-for', 'x-real-ip', 'forwarded', 'via'])(
    'a request that came through a proxy (%s) is refused',
    async (header) => {
      const answer = await list({ [header]: '127.0.0.1' });
      expect([answer.status, answer.body.error?.message]).toEqual([401, expect.stringContaining('reactor passwd')]);
    },
  );
});

describe('pages of other sites', () => {
  test.each(['http://evil.example', 'null', 'http://127.0.0.1'])(
    'the origin %s is refused for reading and writing',
    async (origin) => {
      expect((await list({ origin })).status).toBe(403);
      const headers = { 'content-type': 'text/plain', origin };
      expect((await running.ask('PUT', '/v1.1/endpoints/pyex', { headers, body: PYEX })).status).toBe(403);
      expect(await running.client.endpoints()).toEqual([]);
    },
  );

  test('a write that a browser marks as cross-site is refused even without an origin', async () => {
    const request =
      'DELETE /v1.1/endpoints/pyex HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nConnection: close\r\n\r\n';
    await running.client.createEndpoint('pyex', PYEX);
    expect(await sendRaw(running.port, request)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await running.client.endpoints()).toEqual(['pyex']);
  });

  test('its own pages are not', async () => {
    const answer = await list({ origin: running.url });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });
});

test('answers carry the headers that keep them from being run, framed, sniffed or kept', async () => {
  for (const answer of [
    await list(),
    await running.ask('GET', '/nowhere'),
    await running.ask('PUT', '/v1.1/endpoints/x', { headers: INI, body: '' }),
  ]) {
    expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('x-powered-by')).toBeNull();
  }
});

test('an unreadable state is told with the time it began and when to come back', async () => {
  await running.client.endpoints();
  running.outage.on = true;
  const first = await list();
  running.clock.nowMs += 90_000;
  const later = await list();
  expect([first.status, first.body.error?.code]).toEqual([503, 'state_unavailable']);
  expect(first.body.error?.message).toMatch(/^state store unreachable since \d\d:\d\d:\d\d; traffic unaffected: .+$/);
  expect(later.body.error?.message).toBe(first.body.error?.message);
  expect(Number(first.headers.get('retry-after'))).toBeGreaterThan(0);
  running.outage.on = false;
  expect((await list()).status).toBe(200);
  running.outage.on = true;
  expect((await list()).body.error?.message).not.toBe(first.body.error?.message);
});

test('the client keeps code and message of what the API says', async () => {
  const error = await running.client.endpoint('never').catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ReactorError);
  expect(error).toMatchObject({ code: 'not_found', message: "no endpoint 'never'" });
});
