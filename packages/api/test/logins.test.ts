import { setAuthKey } from '@reactor/api';
import { createLogins, IDLE_MS, LOGINS_MAX, LONGEST_MS } from '../src/logins.js';
import { type AskOptions, JSON_TYPE, PYEX, type RunningApi, startApi } from './running-api.js';

/** Logging in with a browser: what the cookie opens, for how long, and to whom. */

const KEY = 'correct horse battery';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
  await running.client.createEndpoint('pyex', PYEX);
  await setAuthKey(running.store, KEY);
});
afterEach(() => running.close());

const logIn = (key: string, headers: AskOptions['headers'] = {}) =>
  running.ask('POST', '/v1.1/login', { headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify({ auth_key: key }) });

/** As the browser sends it back. */
async function cookie(): Promise<string> {
  const { headers } = await logIn(KEY);
  return headers.get('set-cookie')?.split(';')[0] ?? '';
}
const list = (headers: AskOptions['headers']) => running.ask('GET', '/v1.1/endpoints', { headers: headers ?? {} });
const page = (given: string) => ({ cookie: given, origin: running.url, 'x-reactor-page': '1', ...JSON_TYPE });
const pause = (headers: AskOptions['headers']) =>
  running.ask('POST', '/v1.1/endpoints/pyex/state', { headers: headers ?? {}, body: '{"action":"pause"}' });

test('the key is shown once: then a cookie that no script reads and no other site sends stands for it', async () => {
  const { status, headers } = await logIn(KEY);
  expect(status).toBe(200);
  expect(headers.get('set-cookie')).toMatch(/^reactor=[A-Za-z0-9_-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  const given = await cookie();
  expect((await list({ cookie: given })).status).toBe(200);
  expect((await running.ask('GET', '/v1.1/login', { headers: { cookie: given } })).text).toBe(
    '{"keyNeeded":true,"loggedIn":true}',
  );
  expect((await running.ask('GET', '/v1.1/login')).text).toBe('{"keyNeeded":true,"loggedIn":false}');
});

test('over TLS the cookie is bound to it, and to this host', async () => {
  const { headers } = await logIn(KEY, { 'x-forwarded-proto': 'https', 'x-forwarded-for': '10.9.9.9' });
  expect(headers.get('set-cookie')).toMatch(/^__Host-reactor=.*; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
  const given = headers.get('set-cookie')?.split(';')[0] ?? '';
  expect((await list({ cookie: given, 'x-forwarded-proto': 'https' })).status).toBe(200);
  expect((await list({ cookie: given })).status).toBe(401);
});

test('a wrong key is limited per address like one in a header, and makes no cookie', async () => {
  const answers = [];
  for (let guess = 0; guess < 11; guess++) answers.push(await logIn(`guess-${guess}`));
  expect(answers.map(({ status }) => status)).toEqual([...Array(10).fill(401), 429]);
  expect(answers.every(({ headers }) => headers.get('set-cookie') === null)).toBe(true);
  expect((await running.ask('POST', '/v1.1/login', { headers: JSON_TYPE, body: '{"auth_key":7}' })).status).toBe(400);
});

test('a login ends with logging out, with another key, and when it is unused or too long', async () => {
  const first = await cookie();
  await running.ask('POST', '/v1.1/logout', { headers: { cookie: first } });
  expect((await list({ cookie: first })).status).toBe(401);

  const second = await cookie();
  running.clock.nowMs += IDLE_MS + 1;
  expect((await list({ cookie: second })).status).toBe(401);

  const third = await cookie();
  for (let usedMs = 0; usedMs <= LONGEST_MS - IDLE_MS / 2; usedMs += IDLE_MS / 2) {
    expect((await list({ cookie: third })).status).toBe(200);
    running.clock.nowMs += IDLE_MS / 2;
  }
  running.clock.nowMs += 1;
  expect((await list({ cookie: third })).status).toBe(401);

  const fourth = await cookie();
  await setAuthKey(running.store, 'another key');
  expect((await list({ cookie: fourth })).status).toBe(401);
  await setAuthKey(running.store, KEY);
  expect((await list({ cookie: fourth })).status).toBe(401);
});

test('as many as there may be are kept, and the one longest unused goes', () => {
  const logins = createLogins(() => 0);
  const [first = '', second = ''] = Array.from({ length: LOGINS_MAX }, () => logins.open('lock'));
  const ended = logins.find(first, 'lock')?.ended;
  logins.open('lock');
  expect([logins.find(first, 'lock') !== null, logins.find(second, 'lock'), ended?.aborted]).toEqual([true, null, false]);
  logins.close(first);
  expect(ended?.aborted).toBe(true);
});

describe('a write that is let in by a cookie', () => {
  test('is done when our own page asks', async () => {
    const given = await cookie();
    expect((await pause(page(given))).status).toBe(200);
    const { origin: _origin, ...without } = page(given);
    expect((await pause({ ...without, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  });

  test.each([
    ['no sign of who asks', { origin: undefined, 'x-reactor-page': '1' }],
    ['our origin, but not the header of our pages', { 'x-reactor-page': undefined }],
    ['another origin', { origin: 'http://evil.example' }],
    ['no origin at all, as from a file or a sandboxed frame', { origin: 'null' }],
    ['another port of this machine', { 'sec-fetch-site': 'same-site' }],
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a form', { origin: 'http://evil.example', 'x-reactor-page': undefined, 'content-type': 'text/plain' }],
  ])('is refused with %s', async (_what, change) => {
    const headers = Object.entries({ ...page(await cookie()), ...change }).filter(([, value]) => value !== undefined);
    const answer = await pause(Object.fromEntries(headers) as Record<string, string>);
    expect([answer.status, answer.body.error?.code]).toEqual([403, 'foreign_origin']);
    expect(await running.endpoint('pyex')).toMatchObject({ state: 'PAUSED', changedAtMs: running.clock.nowMs });
    const { revision } = await running.store.read('');
    await pause(Object.fromEntries(headers) as Record<string, string>);
    expect((await running.store.read('')).revision).toBe(revision);
  });
});

test('two cookies of the name, or one beside a wrong key, open nothing', async () => {
  const given = await cookie();
  expect((await list({ cookie: `${given}; ${given}` })).status).toBe(401);
  expect((await list({ cookie: given, 'x-auth-key': 'wrong' })).status).toBe(401);
  expect((await list({ cookie: 'reactor=' })).status).toBe(401);
});

test('the state holds no login, and the log no token', async () => {
  const before = JSON.stringify([...(await running.store.read('')).entries]);
  const [, token = ''] = (await cookie()).split('=');
  expect(JSON.stringify([...(await running.store.read('')).entries])).toBe(before);
  expect(running.logged.join()).not.toContain(token);
});
