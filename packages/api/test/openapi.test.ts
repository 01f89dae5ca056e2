import { PATHS } from '@reactor/api';
import { braced, type DescribedApi, describedApi } from './described-api.js';
import { JSON_TYPE, PYEX, type RunningApi, startApi } from './running-api.js';
import { referred } from './shape-check.js';

/** The description against the routes; routes.test.ts holds every route's answer against it. */

let running: RunningApi;
let described: DescribedApi;
beforeAll(async () => {
  running = await startApi();
  described = await describedApi(running);
});
afterAll(() => running.close());

const operations = () =>
  Object.entries(described.document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

/** Every reference that stands anywhere in it. */
function references(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) => (key === '$ref' ? [String(each)] : references(each)));
}

test('it has the form of OpenAPI 3.1, and its references lead somewhere', () => {
  const { document } = described;
  expect(document.openapi).toBe('3.1.0');
  expect(document.info).toMatchObject({ title: expect.any(String), version: '9.9.9' });
  for (const reference of references(document)) expect(referred(reference, document)).toBeDefined();
  const { securitySchemes } = document.components as unknown as { securitySchemes: Readonly<Record<string, unknown>> };
  for (const { path, method, operation } of operations()) {
    expect([path, Object.keys(operation.responses).length]).not.toEqual([path, 0]);
    expect([path, method === 'get' && operation.requestBody !== undefined]).toEqual([path, false]);
    const schemes = (operation.security ?? []).flatMap((each) => Object.keys(each));
    expect(schemes.filter((name) => !(name in securitySchemes))).toEqual([]);
    for (const parameter of operation.parameters) {
      expect([path, parameter.name, parameter.in === 'path', typeof parameter.schema]).toEqual([
        path,
        parameter.name,
        parameter.required === true,
        'object',
      ]);
    }
  }
});

test('it has every route and nothing else', () => {
  const routes = [...PATHS].flatMap(([path, methods]) =>
    [...methods.keys()].map((each) => `${each.toLowerCase()} ${braced(path)}`),
  );
  expect(
    operations()
      .map(({ path, method }) => `${method} ${path}`)
      .sort(),
  ).toEqual(routes.sort());
});

test('every route says what it is for under a name of its own, and what each of its parameters means', () => {
  const ids = operations().map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, operation } of operations()) {
    expect([path, operation.summary]).toEqual([path, expect.stringMatching(/^.{7,75}[^.]$/)]);
    for (const { name, description } of operation.parameters) {
      expect([path, name, description]).toEqual([path, name, expect.stringMatching(/.{3}/)]);
    }
  }
});

test('every parameter of a path and every one of a query is declared', () => {
  for (const [path, methods] of PATHS) {
    for (const [method, { query }] of methods) {
      const { parameters } = described.document.paths[braced(path)]![method.toLowerCase()]!;
      const named = (place: string) => parameters.filter((each) => each.in === place).map(({ name }) => name);
      expect([path, named('path')]).toEqual([path, [...path.matchAll(/:([a-z]+)/g)].map(([, name]) => name)]);
      expect([path, named('query')]).toEqual([path, query]);
    }
  }
});

test('it can be read without a key, also while the cluster state is away', async () => {
  running.outage.on = true;
  const answer = await running.ask('GET', '/v1.1/openapi.json');
  running.outage.on = false;
  expect(answer.status).toBe(200);
  const keyless = operations().filter(({ operation }) => operation.security?.length === 0);
  expect(keyless.map(({ path }) => path).sort()).toEqual([
    ...['/', '/healthz', '/readyz', '/v1.1/login', '/v1.1/login', '/v1.1/logout', '/v1.1/openapi.json'],
  ]);
});

test('a refusal has the shape that every route promises', async () => {
  const answer = await running.ask('GET', '/v1.1/endpoints/never');
  expect([answer.status, described.faults('GET', '/v1.1/endpoints/:endpoint', answer)]).toEqual([404, []]);
  expect(described.faults('GET', '/v1.1/endpoints/:endpoint', { ...answer, status: 200 })).not.toEqual([]);
});

/** What the routes take that obey If-Match, by the end of their path. */
const BODIES: readonly (readonly [end: RegExp, body: string])[] = [
  [/\/state$/, '{"action":"start"}'],
  [/\/hold$/, '{"count":1,"forMs":null}'],
  [/\/auth_key$/, '{"auth_key":null}'],
  [/\/(alias|rename)$/, '"other"'],
  [/\/configs\/\{manager\}$/, '{"cloud:docker":{"slots":"6"}}'],
  [/./, JSON.stringify(PYEX)],
];

test('every route that says so obeys If-Match', async () => {
  await running.client.createEndpoint('pyex', PYEX);
  await running.client.setManagerConfig('vm1', '[cloud:docker]\nslots = 5\n');
  const obeying = operations().filter(
    ({ path, operation }) => /^\/v1\.1\/(endpoints|managers)/.test(path) && '412' in operation.responses,
  );
  expect(obeying.length).toBeGreaterThan(10);
  for (const { path, method } of obeying) {
    const patch = '{"section":"scaling","key":"max_instances","value":"6"}';
    const body = method === 'patch' ? patch : BODIES.find(([end]) => end.test(path))![1];
    const { status } = await running.ask(method.toUpperCase(), path.replace('{endpoint}', 'pyex').replace('{manager}', 'vm1'), {
      headers: { ...JSON_TYPE, 'if-match': '"999999"' },
      ...(method === 'delete' ? {} : { body }),
    });
    expect([method, path, status]).toEqual([method, path, 412]);
  }
  expect(await running.client.endpoints()).toEqual(['pyex']);
  expect((await running.client.managerConfig('vm1'))['cloud:docker']).toEqual({ slots: '5' });
});

test.each([
  ['PUT', '/v1.1/endpoints/never', 412],
  ['POST', '/v1.1/endpoints/never', 404],
  ['DELETE', '/v1.1/endpoints/never', 412],
  ['PUT', '/v1.1/managers/configs/never', 412],
  ['DELETE', '/v1.1/managers/configs/never', 412],
  ['POST', '/v1.1/endpoints/web', 200],
  ['DELETE', '/v1.1/endpoints/web', 200],
])('If-Match: * asks for one that is there: %s %s', async (method, path, status) => {
  await running.client.manageEndpoint('web', PYEX.replace('http://', 'http://web/'));
  const body = path.includes('managers')
    ? '{"cloud:docker":{"slots":"6"}}'
    : JSON.stringify(PYEX.replace('http://', 'http://web/'));
  const headers = { ...JSON_TYPE, 'if-match': '*' };
  const answer = await running.ask(method, path, { headers, ...(method === 'DELETE' ? {} : { body }) });
  expect([method, path, answer.status]).toEqual([method, path, status]);
});
