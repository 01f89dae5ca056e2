import { createApi, PATHS } from '@reactor/api';
import { KEYS, publishedSessions } from '@reactor/core';
import { createFakeEngine } from '@reactor/testkit';
import { describedApi } from './described-api.js';
import { anInstance } from './placed-instances.js';
import { JSON_TYPE, PYEX, type RunningApi, startApi } from './running-api.js';

/** Every documented route with a request that it answers: method, path as in the table, body. */
const EVALUATE = '{"rules":["0 < rate < 1"],"min":1,"max":5,"instances":1,"metrics":{"rate":{"total":33.01}}}';
const METRICS = '{"queue":12,"wait":[3,0.25]}';
const MANAGER = '{"cloud:docker":{"slots":"500"}}';
const ACTION = '{"action":"start"}';
const DOCUMENTED: readonly (readonly [method: string, path: string, body?: string])[] = [
  ['GET', '/'],
  ['GET', '/healthz'],
  ['GET', '/readyz'],
  ['GET', '/metrics'],
  ['GET', '/v1.1/openapi.json'],
  ['GET', '/v1.1/info'],
  ['GET', '/v1.1/url'],
  ['POST', '/v1.1/url', '{"url":"http://h/"}'],
  ['POST', '/v1.0/auth_key', '{"auth_key":null}'],
  ['POST', '/v1.1/auth_key', '{"auth_key":null}'],
  ['GET', '/v1.0/domain'],
  ['GET', '/v1.1/login'],
  ['POST', '/v1.1/login', '{"auth_key":"any"}'],
  ['POST', '/v1.1/logout'],
  ['GET', '/v1.1/schema/endpoint'],
  ['GET', '/v1.1/schema/manager'],
  ['GET', '/v1.1/hosts'],
  ['POST', '/v1.1/hosts/:host/state', '{"action":"drain"}'],
  ['PUT', '/v1.1/hosts/:host/state', '{"action":"activate"}'],
  ['DELETE', '/v1.1/hosts/:host'],
  ['GET', '/v1.0/managers/configs'],
  ['GET', '/v1.1/managers/configs'],
  ['GET', '/v1.0/managers/configs/:manager'],
  ['GET', '/v1.1/managers/configs/:manager'],
  ['POST', '/v1.0/managers/configs/:manager', MANAGER],
  ['POST', '/v1.1/managers/configs/:manager', MANAGER],
  ['PUT', '/v1.0/managers/configs/:manager', MANAGER],
  ['PUT', '/v1.1/managers/configs/:manager', MANAGER],
  ['DELETE', '/v1.0/managers/configs/:manager'],
  ['DELETE', '/v1.1/managers/configs/:manager'],
  ['GET', '/v1.0/managers/active'],
  ['GET', '/v1.1/managers/active'],
  ['GET', '/v1.0/managers/active/:manager'],
  ['GET', '/v1.1/managers/active/:manager'],
  ['GET', '/v1.1/managers/log/:manager'],
  ['POST', '/v1.1/evaluate', EVALUATE],
  ['GET', '/v1.0/endpoints'],
  ['GET', '/v1.1/endpoints'],
  ['GET', '/v1.0/endpoints/:endpoint'],
  ['GET', '/v1.1/endpoints/:endpoint'],
  ['POST', '/v1.0/endpoints/:endpoint', JSON.stringify(PYEX)],
  ['POST', '/v1.1/endpoints/:endpoint', JSON.stringify(PYEX)],
  ['PATCH', '/v1.1/endpoints/:endpoint', '{"section":"scaling","key":"max_instances","value":"6"}'],
  ['GET', '/v1.0/endpoints/:endpoint/state'],
  ['GET', '/v1.1/endpoints/:endpoint/state'],
  ['POST', '/v1.0/endpoints/:endpoint/state', ACTION],
  ['POST', '/v1.1/endpoints/:endpoint/state', ACTION],
  ['PUT', '/v1.0/endpoints/:endpoint/state', ACTION],
  ['PUT', '/v1.1/endpoints/:endpoint/state', ACTION],
  ['PUT', '/v1.1/endpoints/:endpoint/hold', '{"count":3,"forMs":null}'],
  ['DELETE', '/v1.1/endpoints/:endpoint/hold'],
  ['GET', '/v1.0/endpoints/:endpoint/ips'],
  ['GET', '/v1.1/endpoints/:endpoint/ips'],
  ['GET', '/v1.0/endpoints/:endpoint/metrics'],
  ['GET', '/v1.1/endpoints/:endpoint/metrics'],
  ['POST', '/v1.0/endpoints/:endpoint/metrics', METRICS],
  ['POST', '/v1.1/endpoints/:endpoint/metrics', METRICS],
  ['PUT', '/v1.0/endpoints/:endpoint/metrics', METRICS],
  ['PUT', '/v1.1/endpoints/:endpoint/metrics', METRICS],
  ['GET', '/v1.0/endpoints/:endpoint/metrics/:backend'],
  ['GET', '/v1.1/endpoints/:endpoint/metrics/:backend'],
  ['POST', '/v1.0/endpoints/:endpoint/metrics/:backend', METRICS],
  ['POST', '/v1.1/endpoints/:endpoint/metrics/:backend', METRICS],
  ['PUT', '/v1.0/endpoints/:endpoint/metrics/:backend', METRICS],
  ['PUT', '/v1.1/endpoints/:endpoint/metrics/:backend', METRICS],
  ['POST', '/v1.1/endpoints/:endpoint/auth_key', '{"auth_key":null}'],
  ['POST', '/v1.1/endpoints/:endpoint/instances/:instance'],
  ['PUT', '/v1.1/endpoints/:endpoint/instances/:instance'],
  ['DELETE', '/v1.1/endpoints/:endpoint/instances/:instance'],
  ...['v1.0', 'v1.1'].flatMap((version) =>
    ['POST', 'PUT'].flatMap((method) =>
      ['register', 'unregister'].map((verb) => [method, `/${version}/${verb}/:backend`] as const),
    ),
  ),
  ['GET', '/v1.1/endpoints/:endpoint/instances'],
  ['GET', '/v1.1/instances'],
  ['POST', '/v1.1/endpoints/:endpoint/alias', '"pyex-too"'],
  ['PUT', '/v1.1/endpoints/:endpoint/alias', '"pyex-too"'],
  ['POST', '/v1.1/endpoints/:endpoint/rename', '"pyex-too"'],
  ['PUT', '/v1.1/endpoints/:endpoint/rename', '"pyex-too"'],
  ['GET', '/v1.1/endpoints/:endpoint/metadata'],
  ['GET', '/v1.1/endpoints/:endpoint/metadata/:key'],
  ['POST', '/v1.1/endpoints/:endpoint/metadata/:key', '{"any":["thing"]}'],
  ['PUT', '/v1.1/endpoints/:endpoint/metadata/:key', 'null'],
  ['DELETE', '/v1.1/endpoints/:endpoint/metadata/:key'],
  ['GET', '/v1.1/endpoints/:endpoint/decision'],
  ['GET', '/v1.1/endpoints/:endpoint/history'],
  ['GET', '/v1.1/endpoints/:endpoint/recording'],
  ['GET', '/v1.1/endpoints/:endpoint/decisions'],
  ['GET', '/v1.1/endpoints/:endpoint/explain'],
  ['GET', '/v1.1/endpoints/:endpoint/placement'],
  ['GET', '/v1.1/endpoints/:endpoint/lint'],
  ['POST', '/v1.1/lint', JSON.stringify(PYEX)],
  ['GET', '/v1.1/endpoints/:endpoint/output'],
  ['GET', '/v1.1/endpoints/:endpoint/sessions'],
  ['GET', '/v1.1/endpoints/:endpoint/sessions/:session'],
  ['DELETE', '/v1.1/endpoints/:endpoint/sessions/:session'],
  ['GET', '/v1.1/endpoints/:endpoint/log'],
  ['POST', '/v1.1/endpoints/:endpoint/log', '"hello"'],
  ['PUT', '/v1.1/endpoints/:endpoint/log', '"hello"'],
  ['DELETE', '/v1.0/endpoints/:endpoint'],
  ['DELETE', '/v1.1/endpoints/:endpoint'],
  ['PUT', '/v1.0/endpoints/:endpoint', JSON.stringify(PYEX)],
  ['PUT', '/v1.1/endpoints/:endpoint', JSON.stringify(PYEX)],
];

/** Asked in live.test.ts. */
const WITHOUT_END = [['GET', '/v1.1/live']] as const;

let running: RunningApi;
beforeEach(async () => {
  running = await startApi({ engine: createFakeEngine() });
  await running.client.createEndpoint('pyex', PYEX);
  await running.put(KEYS.instance('i1'), anInstance('i1', { host: 'host-b' }));
  await running.client.createEndpoint('desk', { endpoint: { url: 'tcp://5000', loadbalancer: 'tcp' } });
  const session = { endpoint: 'desk', client: '10.0.0.7:5000', backend: '10.0.0.1:80', instance: 'i1', sinceMs: 0 };
  await running.store.publish(publishedSessions('host-b', [session], 0), 10_000);
  await running.put(KEYS.managerConfig('host-a'), { document: { 'cloud:docker': { slots: '100' } } });
  // Of a host that is away; one that is alive could not be removed.
  await running.put(KEYS.balancer('host-a'), { host: 'host-a', revision: 1, serving: [], setAside: {}, error: null });
});
afterEach(() => running.close());

test('the table and the documentation have the same routes', () => {
  // What instances ask with their token is asked in callers.test.ts.
  const table = [...PATHS].flatMap(([path, methods]) =>
    [...methods].flatMap(([method, { caller }]) => (caller === undefined ? [`${method} ${path}`] : [])),
  );
  const rows = [...DOCUMENTED, ...WITHOUT_END];
  expect(table.sort()).toEqual(rows.map(([method, path]) => `${method} ${path}`).sort());
});

// Not test.each: for a row without a body it would hand over its own `done` as the third argument.
describe.each(DOCUMENTED.map(([method, path, body]) => ({ method, path, body })))('$method $path', ({ method, path, body }) => {
  test('answers', async () => {
    if (method === 'PUT' && body === JSON.stringify(PYEX)) await running.client.removeEndpoint('pyex');
    const endpoint = path.includes('/sessions') ? 'desk' : 'pyex';
    const target = path
      .replace(':endpoint', endpoint)
      .replace(':session', '10.0.0.7:5000')
      .replace(':manager', 'host-a')
      .replace(':host', 'host-a')
      .replace(':backend', 'i1')
      .replace(':instance', 'i1');
    const answer = await running.ask(method, target, body === undefined ? {} : { headers: JSON_TYPE, body });
    expect([answer.status, answer.body.error]).toEqual([200, undefined]);
    expect((await describedApi(running)).faults(method, path, answer)).toEqual([]);
  });

  const makes = method === 'PUT' && path.endsWith(':endpoint');
  if (!path.includes(':endpoint') || method === 'DELETE' || makes) return;
  test('says so when there is no such endpoint', async () => {
    const answer = await running.ask(
      method,
      path.replace(':endpoint', 'never').replace(':session', '10.0.0.7:5000'),
      body === undefined ? {} : { headers: JSON_TYPE, body },
    );
    expect([answer.status, answer.body.error?.code]).toEqual([404, 'not_found']);
  });
});

test('every method that the client has reaches a route', async () => {
  const { client } = running;
  await client.replaceEndpoint('pyex', PYEX);
  await client.createEndpoint('other', { endpoint: { url: 'http://other/' } });
  await client.removeEndpoint('other');
  await client.setValue('pyex', 'scaling', 'max_instances', '6');
  await client.act('pyex', 'pause');
  await client.post('pyex', 'hello', 'warning');
  await client.setUrl('http://h/');
  await client.killSession('desk', '10.0.0.7:5000');
  const read = await Promise.all([
    client.version(),
    client.healthy(),
    client.readiness(),
    client.prometheus(),
    client.info(),
    client.url(),
    client.endpoints(),
    client.endpointsDetail(),
    client.endpointIni('pyex'),
    client.state('pyex'),
    client.ips('pyex'),
    client.instances('pyex'),
    client.instancesDetail('pyex'),
    client.metrics('pyex'),
    client.log('pyex', { limit: 1 }),
    client.decision('pyex'),
    client.evaluate(EVALUATE),
    client.allInstances(),
    client.hosts(),
    client.managersActive(),
    client.manager('host-a'),
    client.managerLog('host-a'),
    client.managerConfigs(),
    client.placement('pyex'),
    client.sessions('desk'),
  ]);
  expect(read[0]).toEqual({ version: '1.1', reactor: '9.9.9' });
  expect(read[5]).toBe('http://h/');
  expect(read[14]).toEqual([[expect.any(Number), 'WARNING', 'hello', expect.any(Number), 'USER_EVENT']]);
  expect(JSON.parse(read[16])).toMatchObject({ target: 5 });
});

test('evaluate answers line by line and names the line that is wrong', async () => {
  const two = await running.client.evaluate(`${EVALUATE}\n\n${EVALUATE}\n`);
  expect(two.trim().split('\n')).toHaveLength(2);
  await expect(running.client.evaluate(`${EVALUATE}\n{}`)).rejects.toThrow(/^line 2: /);
  const answer = await running.ask('POST', '/v1.1/evaluate', { headers: JSON_TYPE, body: `${EVALUATE}\n`.repeat(1_001) });
  expect(answer.status).toBe(413);
});

test('readiness tells its problems with 503 while health stays fine', async () => {
  const sick = await startApi({ health: () => ({ ok: false, problems: ['docker does not answer'] }) });
  expect(await sick.client.readiness()).toEqual({ ok: false, problems: ['docker does not answer'] });
  expect((await sick.ask('GET', '/readyz')).status).toBe(503);
  sick.outage.on = true;
  expect(await sick.client.healthy()).toBe(true);
  await sick.close();
});

test('a port that is taken, and an address of another machine, are told as such', async () => {
  const other = createApi({
    store: running.store,
    now: () => 0,
    newId: () => 'x',
    version: '1',
    host: 'h',
    health: () => ({ ok: true, problems: [] }),
    log: () => undefined,
  });
  await expect(other.listen('127.0.0.1', running.port)).rejects.toMatchObject({ code: 'port_taken' });
  await expect(other.listen('192.0.2.1', 0)).rejects.toMatchObject({ code: 'config_invalid' });
  await other.close();
});
