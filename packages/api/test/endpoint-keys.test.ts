import { createHash } from 'node:crypto';
import { setAuthKey } from '@reactor/api';
import { createClient } from '@reactor/client';
import { ReactorError } from '@reactor/core';
import { type Answer, JSON_TYPE, PYEX, pyexAt, type RunningApi, startApi } from './running-api.js';

/** An endpoint's own key opens that endpoint's state, metrics and log, and nothing else (S11, S13, S14, S23). */

const ADMIN = 'correct horse battery';
const OWN = 'only for pyex';
let running: RunningApi;

async function startWithKeys(): Promise<void> {
  running = await startApi();
  await running.client.createEndpoint('pyex', PYEX);
  await running.client.createEndpoint('other', pyexAt('http://other/'));
  await running.client.setEndpointKey('pyex', OWN);
  await running.client.setEndpointKey('other', 'only for other');
  await setAuthKey(running.store, ADMIN);
}

const ask = (method: string, path: string, key: string | null, body?: string): Promise<Answer> =>
  running.ask(method, path, {
    headers: { ...(key === null ? {} : { 'x-auth-key': key }), ...(body === undefined ? {} : JSON_TYPE) },
    ...(body === undefined ? {} : { body }),
  });

const OPEN: readonly (readonly [method: string, below: string, body?: string])[] = [
  ['GET', 'ips'],
  ['GET', 'instances'],
  ['GET', 'state'],
  ['POST', 'state', '{"action":"start"}'],
  ['GET', 'metrics'],
  ['POST', 'metrics', '{"queue":1}'],
  ['GET', 'log'],
  ['POST', 'log', '"hello"'],
  ['GET', 'metadata'],
  ['POST', 'metadata/colour', '"red"'],
];
const SHUT: readonly (readonly [method: string, path: string, body?: string])[] = [
  ['GET', '/v1.1/endpoints'],
  ['GET', '/v1.1/endpoints/pyex'],
  ['PUT', '/v1.1/endpoints/new', '"[endpoint]"'],
  ['POST', '/v1.1/endpoints/pyex', '"[endpoint]"'],
  ['PATCH', '/v1.1/endpoints/pyex', '{"section":"endpoint","key":"static_instances","value":"169.254.169.254:80"}'],
  ['DELETE', '/v1.1/endpoints/pyex'],
  ['POST', '/v1.1/endpoints/pyex/auth_key', '{"auth_key":null}'],
  ['POST', '/v1.1/endpoints/pyex/alias', '"mine"'],
  ['POST', '/v1.1/endpoints/pyex/rename', '"mine"'],
  ['PUT', '/v1.1/endpoints/pyex/hold', '{"count":3,"forMs":null}'],
  ['GET', '/v1.1/endpoints/pyex/placement'],
  ['GET', '/v1.1/instances'],
  ['GET', '/v1.1/hosts'],
  ['GET', '/v1.1/info'],
  ['POST', '/v1.1/auth_key', '{"auth_key":null}'],
  ['GET', '/metrics'],
];

// Started once, because every key costs the time of a hash; and long enough between rows that no guess is one too many.
describe('of the routes', () => {
  beforeAll(startWithKeys);
  afterAll(() => running.close());
  beforeEach(() => {
    running.clock.nowMs += 600_000;
  });

  // Not test.each: for a row without a body it would hand over its own `done` as the third argument.
  describe.each(OPEN.map(([method, below, body]) => ({ method, below, body })))('$method $below', ({ method, below, body }) => {
    test("is open to the endpoint's key and the admin's, and to no other endpoint's", async () => {
      const path = `/v1.1/endpoints/pyex/${below}`;
      expect((await ask(method, path, OWN, body)).status).toBe(200);
      expect((await ask(method, path, ADMIN, body)).status).toBe(200);
      expect((await ask(method, path, 'only for other', body)).status).toBe(401);
      expect((await ask(method, path, null, body)).status).toBe(401);
      expect((await ask(method, path.replace('pyex', 'never'), OWN, body)).status).toBe(401);
    });
  });

  describe.each(SHUT.map(([method, path, body]) => ({ method, path, body })))('$method $path', ({ method, path, body }) => {
    test("is shut to an endpoint's key", async () => {
      expect((await ask(method, path, OWN, body)).status).toBe(401);
    });
  });

  test.each(['', 'line\nbreak', 'ü', 'x'.repeat(257), ' led'])('%j is no key', async (key) => {
    const admin = createClient({ api: running.url, key: ADMIN });
    const refused = admin.setEndpointKey('pyex', key);
    await expect(refused).rejects.toBeInstanceOf(ReactorError);
    await expect(refused).rejects.toMatchObject({ code: 'request_invalid' });
  });
});

describe('on an API of its own', () => {
  beforeEach(startWithKeys);
  afterEach(() => running.close());

  test('it opens the endpoint under each of its names, and no name of another', async () => {
    const admin = createClient({ api: running.url, key: ADMIN });
    await admin.alias('pyex', 'web');
    await admin.rename('other', 'else');
    expect((await ask('GET', '/v1.1/endpoints/web/state', OWN)).status).toBe(200);
    expect((await ask('GET', '/v1.1/endpoints/else/state', OWN)).status).toBe(401);
  });

  test('an instances_source is no way to another endpoint', async () => {
    const admin = createClient({ api: running.url, key: ADMIN });
    await admin.setValue('pyex', 'endpoint', 'instances_source', 'other');
    expect((await ask('GET', '/v1.1/endpoints/other/ips', OWN)).status).toBe(401);
  });

  test('a key that is changed or cleared opens nothing any more, at once', async () => {
    const admin = createClient({ api: running.url, key: ADMIN });
    const state = async (key: string): Promise<number> => (await ask('GET', '/v1.1/endpoints/pyex/state', key)).status;
    expect(await state(OWN)).toBe(200);
    await admin.setEndpointKey('pyex', 'another one');
    expect([await state(OWN), await state('another one')]).toEqual([401, 200]);
    await admin.setEndpointKey('pyex', null);
    expect(await state('another one')).toBe(401);
    expect((await running.endpoint('pyex'))?.document['endpoint']).not.toHaveProperty('auth_hash');
  });

  test('what is stored and shown has neither the key nor, unasked, its hash', async () => {
    const admin = createClient({ api: running.url, key: ADMIN });
    const stored = JSON.stringify(await running.endpoint('pyex'));
    expect(stored).toContain('"auth_algo":"scrypt"');
    expect(stored).not.toContain(OWN);
    expect((await admin.endpoint('pyex'))['endpoint']).toMatchObject({ auth_hash: '***', auth_salt: '***' });
    await admin.replaceEndpoint('pyex', await admin.endpoint('pyex'));
    expect((await ask('GET', '/v1.1/endpoints/pyex/state', OWN)).status).toBe(200);
  });

  test.each(['sha1', 'sha256', 'sha512', 'md5'])('a key of 2013, hex(%s(salt + key)), opens as it did', async (algo) => {
    const admin = createClient({ api: running.url, key: ADMIN });
    const hash = createHash(algo).update('salty').update('as of 2013').digest('hex').toUpperCase();
    const written = await admin.replaceEndpoint('pyex', {
      endpoint: { url: 'http://', auth_hash: hash, auth_salt: 'salty', ...(algo === 'sha1' ? {} : { auth_algo: algo }) },
    });
    expect(written.warnings.some((warning) => warning.includes('is quickly guessed'))).toBe(algo === 'sha1' || algo === 'md5');
    expect((await ask('GET', '/v1.1/endpoints/pyex/state', 'as of 2013')).status).toBe(200);
    expect((await ask('GET', '/v1.1/endpoints/pyex/state', 'as of 2014')).status).toBe(401);
  });

  test('guesses at it are limited like guesses at the auth key', async () => {
    const statuses: number[] = [];
    for (let guess = 0; guess < 12; guess++)
      statuses.push((await ask('GET', '/v1.1/endpoints/pyex/state', `guess-${guess}`)).status);
    expect(statuses.slice(0, 10)).toEqual(statuses.slice(0, 10).map(() => 401));
    expect(statuses.at(-1)).toBe(429);
  });
});
