import { hashToken, KEYS, readCluster } from '@reactor/core';
import { anInstance, aReport } from './placed-instances.js';
import { type AskOptions, JSON_TYPE, PYEX, pyexAt, type RunningApi, startApi } from './running-api.js';

const TOKEN = 'token-of-instance-a1';
const OTHER = 'token-of-instance-b1';

let running: RunningApi;
async function start(): Promise<void> {
  running = await startApi();
  await running.client.createEndpoint('a', PYEX);
  await running.client.createEndpoint('b', pyexAt('http://b/'));
  await instance('a', 'a1', TOKEN);
  await instance('b', 'b1', OTHER);
  await running.client.setAuthKey('the key');
}

async function instance(endpoint: string, id: string, token: string): Promise<void> {
  const { uid } = (await running.endpoint(endpoint))!;
  await running.put(KEYS.instance(id), anInstance(id, { endpoint, endpointUid: uid, host: 'vm1' }));
  const address = { host: '10.0.0.1', port: 20_001 };
  await running.put(KEYS.report('vm1', id), aReport(id, { endpoint, host: 'vm1', address, tokenHash: hashToken(token) }));
}

const as = (token: string, options: AskOptions = {}): AskOptions => ({
  ...options,
  headers: { 'x-reactor-token': token, ...options.headers },
});

/** Every route that an instance reaches with its token alone. */
const OWN: readonly (readonly [method: string, path: string, body: string])[] = [
  ['GET', '/v1.1/endpoint/state', ''],
  ['GET', '/v1.0/endpoint/state', ''],
  ['POST', '/v1.1/endpoint/state', '{"action":"start"}'],
  ['GET', '/v1.1/endpoint/ips', ''],
  ['GET', '/v1.1/endpoint/instances', ''],
  ['GET', '/v1.1/endpoint/metrics', ''],
  ['POST', '/v1.1/endpoint/metrics', '{"queue":3}'],
  ['GET', '/v1.1/endpoint/log', ''],
  ['POST', '/v1.1/endpoint/log', '"hello"'],
  ['GET', '/v1.1/endpoint/metadata', ''],
  ['POST', '/v1.1/endpoint/metadata/k', '1'],
  ['GET', '/v1.1/endpoint/metadata/k', ''],
  ['DELETE', '/v1.1/endpoint/metadata/k', ''],
  ['POST', '/v1.1/unregister', ''],
  ['PUT', '/v1.0/unregister', ''],
  ['POST', '/v1.1/register', ''],
  ['PUT', '/v1.0/register', ''],
];

/** The key is no better here: it says who may, not whose endpoint is meant. */
const OTHERWISE: readonly (readonly [what: string, headers: Readonly<Record<string, string>>])[] = [
  ['nothing', {}],
  ['a wrong token', { 'x-reactor-token': `${TOKEN}x` }],
  ['a hash instead of a token', { 'x-reactor-token': hashToken(TOKEN) }],
  ['the key', { 'x-auth-key': 'the key' }],
  ['the token as the key', { 'x-auth-key': TOKEN }],
  ['an address that is passed on', { 'x-forwarded-for': '10.0.0.1', 'x-real-ip': '10.0.0.1', forwarded: 'for=10.0.0.1' }],
];

test('an instance takes itself out of the load balancers and puts itself back, and no other', async () => {
  await start();
  const wishes = async () => [...readCluster(await running.store.read('')).wishes].map(([id, { value }]) => [id, value.kind]);
  const answer = await running.ask('POST', '/v1.1/unregister', as(TOKEN));
  expect(JSON.parse(answer.text)).toMatchObject({ instance: 'a1', endpoint: 'a' });
  expect(await wishes()).toEqual([['a1', 'drop']]);
  await running.ask('POST', '/v1.1/register', as(OTHER));
  expect(await wishes()).toEqual([['a1', 'drop']]);
  await running.ask('POST', '/v1.1/register', as(TOKEN));
  expect(await wishes()).toEqual([]);
  await running.close();
});

// Started once: every key costs the time of a hash, and no row depends on another.
describe('of the routes', () => {
  beforeAll(start);
  afterAll(() => running.close());

  describe.each(OWN)('%s %s', (method, path, body) => {
    const options: AskOptions = body === '' ? {} : { headers: JSON_TYPE, body };

    test('answers an instance about its own endpoint', async () => {
      const answer = await running.ask(method, path, as(TOKEN, options));
      expect([answer.status, answer.body.error]).toEqual([200, undefined]);
    });

    test('is refused for whatever else is shown', async () => {
      for (const [what, headers] of OTHERWISE) {
        const answer = await running.ask(method, path, { ...options, headers: { ...options.headers, ...headers } });
        expect([what, answer.status, answer.body.error?.code]).toEqual([what, 401, 'unauthorized']);
      }
    });
  });

  test.each([
    ['GET', '/v1.1/endpoints/b/state', ''],
    ['GET', '/v1.1/endpoints/a/state', ''],
    ['POST', '/v1.1/endpoints/b/log', '"x"'],
    ['GET', '/v1.1/endpoints/b/metadata', ''],
    ['GET', '/v1.1/endpoints/b', ''],
    ['GET', '/v1.1/endpoints', ''],
    ['GET', '/v1.1/info', ''],
    ['GET', '/v1.1/endpoint', ''],
    ['PATCH', '/v1.1/endpoint', '{"section":"scaling","key":"max_instances","value":"9"}'],
    ['DELETE', '/v1.1/endpoint', ''],
    ['POST', '/v1.1/endpoint/alias', '"c"'],
    ['POST', '/v1.1/endpoint/rename', '"c"'],
    ['POST', '/v1.1/endpoint/instances/a1', ''],
    ['DELETE', '/v1.1/endpoint/instances/a1', ''],
    ['POST', '/v1.1/auth_key', '{"auth_key":null}'],
  ])('a token alone does not open %s %s', async (method, path, body) => {
    const before = (await running.store.read('')).revision;
    const answer = await running.ask(method, path, as(TOKEN, body === '' ? {} : { headers: JSON_TYPE, body }));
    expect([answer.status, answer.body.error?.code]).toEqual([401, 'unauthorized']);
    expect((await running.store.read('')).revision).toBe(before);
  });
});

describe('on an API of its own', () => {
  beforeEach(start);
  afterEach(() => running.close());

  test('the token decides, whatever address the request claims', async () => {
    const forged = { headers: { ...JSON_TYPE, 'x-forwarded-for': '10.0.0.9' }, body: '"from a"' };
    await running.ask('POST', '/v1.1/endpoint/log', as(TOKEN, forged));
    const messages = async (name: string) => (await running.store.tail(`endpoint/${name}`, 0, 10)).map(({ message }) => message);
    expect(await messages('a')).toContain('from a');
    expect(await messages('b')).not.toContain('from a');
  });

  test('with the key the token says which endpoint is meant', async () => {
    const answer = await running.ask('GET', '/v1.1/endpoint', as(TOKEN, { headers: { 'x-auth-key': 'the key' } }));
    expect(JSON.parse(answer.text)['endpoint'].url).toBe('http://');
  });

  test('with the key an instance is told to leave without naming the endpoint; another’s is none of its own', async () => {
    const both = as(TOKEN, { headers: { 'x-auth-key': 'the key' } });
    const left = await running.ask('DELETE', '/v1.1/endpoint/instances/a1', both);
    expect([left.status, left.body]).toEqual([200, expect.objectContaining({ instance: 'a1', endpoint: 'a' })]);
    expect((await running.ask('POST', '/v1.1/endpoint/instances/a1', both)).status).toBe(200);
    expect((await running.ask('DELETE', '/v1.1/endpoint/instances/b1', both)).status).toBe(404);
  });

  test('follows the endpoint when it is renamed, and ends with it', async () => {
    const admin = { headers: { ...JSON_TYPE, 'x-auth-key': 'the key' } };
    await running.ask('POST', '/v1.1/endpoints/a/rename', { ...admin, body: '"c"' });
    await running.ask('PUT', '/v1.1/endpoints/a', { ...admin, body: JSON.stringify(pyexAt('http://new/')) });
    await running.ask('POST', '/v1.1/endpoint/state', as(TOKEN, { headers: JSON_TYPE, body: '{"action":"start"}' }));
    const stateOf = async (name: string) =>
      JSON.parse((await running.ask('GET', `/v1.1/endpoints/${name}/state`, admin)).text).state;
    expect([await stateOf('a'), await stateOf('c')]).toEqual(['PAUSED', 'RUNNING']);
    await running.ask('DELETE', '/v1.1/endpoints/c', admin);
    expect((await running.ask('GET', '/v1.1/endpoint/state', as(TOKEN))).status).toBe(401);
  });

  test('an instance that is gone from the state speaks for nobody', async () => {
    await running.put(KEYS.instance('a1'), null);
    expect((await running.ask('GET', '/v1.1/endpoint/state', as(TOKEN))).status).toBe(401);
  });

  test('posted metrics are about the instance that posts, whomever it names', async () => {
    const options = { headers: JSON_TYPE, body: '{"queue":3}' };
    for (const path of ['/v1.1/endpoint/metrics', '/v1.1/endpoint/metrics/b1']) {
      expect(JSON.parse((await running.ask('POST', path, as(TOKEN, options))).text).backend).toBe('a1');
    }
  });

  test('nobody is let in while the state cannot be read for the first time', async () => {
    running.outage.on = true;
    expect((await running.ask('GET', '/v1.1/endpoint/state', as(TOKEN))).status).toBe(503);
  });
});
