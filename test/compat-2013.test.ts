/** Each row of the table of answers (packages/api/README.md), asked of a daemon as it is and of one with compat=2013. */
import { setAuthKey } from '@reactor/api';
import { publishedSessions } from '@reactor/core';
import { reply2013 } from '../packages/api/src/compat-2013.js';
import type { Reply } from '../packages/api/src/route.js';
import { PATHS } from '../packages/api/src/route-table.js';
import {
  type Answer,
  type AskOptions,
  INI,
  JSON_TYPE,
  PYEX,
  type RunningApi,
  startApi,
} from '../packages/api/test/running-api.js';
import { tableIn } from './source-tree.js';

const KEY = 'correct horse battery staple';
const WRONG_PORT = /^endpoint\.port .*'many' is not a port/;

interface Case {
  readonly ask: readonly [method: string, path: string, options?: AskOptions];
  /** The code of today's refusal, or the body of today's answer. */
  readonly today: unknown;
  readonly before: readonly [status: number, body: unknown];
}

/** By the first cell of its row. */
const CASES: Readonly<Record<string, Case>> = {
  'a method that a route lacks': { ask: ['PATCH', '/v1.1/endpoints'], today: 'method_not_allowed', before: [403, ''] },
  'an endpoint that is not there': { ask: ['GET', '/v1.1/endpoints/never'], today: 'not_found', before: [404, 'never'] },
  'a name that is taken': {
    ask: ['PUT', '/v1.1/endpoints/pyex', { headers: INI, body: PYEX }],
    today: 'exists',
    before: [409, 'pyex'],
  },
  'a value that is not accepted': {
    ask: ['POST', '/v1.1/endpoints/pyex', { headers: JSON_TYPE, body: '{"endpoint":{"port":"many"}}' }],
    today: 'config_invalid',
    before: [400, { endpoint: { port: expect.stringMatching(WRONG_PORT) } }],
  },
  'a configuration that cannot be read': {
    ask: ['POST', '/v1.1/endpoints/pyex', { headers: INI, body: 'nonsense' }],
    today: 'config_syntax',
    before: [403, ''],
  },
  'a write that is done': {
    ask: ['POST', '/v1.1/endpoints/pyex/state', { headers: JSON_TYPE, body: '{"action":"pause"}' }],
    today: { state: 'PAUSED', revision: expect.any(Number) },
    before: [200, ''],
  },
  'an unknown action': {
    ask: ['POST', '/v1.1/endpoints/pyex/state', { headers: JSON_TYPE, body: '{"action":"strat"}' }],
    today: 'request_invalid',
    before: [200, ''],
  },
  'an entry of a log': {
    ask: ['GET', '/v1.1/endpoints/pyex/log'],
    today: [[1_700_000_000, 'INFO', expect.any(String), 1, 'CONFIG_UPDATED']],
    before: [200, [[1_700_000_000, 'INFO', expect.any(String)]]],
  },
  'a session that is not there': {
    ask: ['GET', '/v1.1/endpoints/desk/sessions/10.0.0.9:1'],
    today: 'not_found',
    before: [200, null],
  },
  'the end of a session that is not there': {
    ask: ['DELETE', '/v1.1/endpoints/desk/sessions/10.0.0.9:1'],
    today: 'not_found',
    before: [200, ''],
  },
  'sessions where the load balancer knows none': {
    ask: ['GET', '/v1.1/endpoints/pyex/sessions'],
    today: 'unsupported',
    before: [200, {}],
  },
  'the version': { ask: ['GET', '/'], today: { version: '1.1', reactor: '9.9.9' }, before: [200, { version: '1.1' }] },
  'a key in the URL': {
    ask: ['GET', `/v1.1/endpoints?auth_key=${encodeURIComponent(KEY)}`],
    today: 'unauthorized',
    before: [200, ['desk', 'pyex']],
  },
};

function bodyOf({ text }: Answer): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const start = async (compat2013: boolean): Promise<RunningApi> => {
  const running = await startApi({ compat2013 });
  await running.client.createEndpoint('pyex', PYEX);
  await running.client.createEndpoint('desk', { endpoint: { url: 'tcp://5000', loadbalancer: 'tcp' } });
  await running.store.publish(publishedSessions('host-a', [], 0), 10_000);
  return running;
};

let today: RunningApi;
let former: RunningApi;
beforeEach(async () => {
  [today, former] = await Promise.all([start(false), start(true)]);
});
afterEach(() => Promise.all([today.close(), former.close()]));

test('every row of the table is tried, and every trial has its row', () => {
  expect(tableIn('packages/api/README.md', 'Answers').map(([what]) => what)).toEqual(Object.keys(CASES));
});

test.each(Object.entries(CASES))('%s', async (_what, { ask, today: now, before: [status, body] }) => {
  const said = await today.ask(...ask);
  expect(typeof now === 'string' ? said.body.error?.code : bodyOf(said)).toEqual(now);
  const answer = await former.ask(...ask);
  expect([answer.status, bodyOf(answer)]).toEqual([status, body]);
});

test('a wrong key in the URL is refused, and one in a header comes first', async () => {
  await setAuthKey(former.store, KEY);
  const path = '/v1.1/endpoints/pyex/ips';
  const right = encodeURIComponent(KEY);
  const statuses = async (...asked: readonly (readonly [string, AskOptions?])[]): Promise<readonly number[]> =>
    Promise.all(asked.map(async ([each, options]) => (await former.ask('GET', each, options)).status));
  expect(
    await statuses(
      [`${path}?auth_key=${right}`],
      [`${path}?auth_key=wrong`],
      [`${path}?auth_key=${right}&auth_key=${right}`],
      [`${path}?auth_key=`],
      [`${path}?auth_key=${right}`, { headers: { 'x-auth-key': 'wrong' } }],
      [path],
    ),
  ).toEqual([200, 401, 401, 401, 401, 401]);
  expect(former.logged.join()).not.toContain('horse');
});

test('a login still gets its cookie', async () => {
  await setAuthKey(former.store, KEY);
  const answer = await former.ask('POST', '/v1.1/login', { headers: JSON_TYPE, body: JSON.stringify({ auth_key: KEY }) });
  expect([answer.status, answer.text, answer.headers.get('set-cookie')]).toEqual([200, '', expect.stringContaining('HttpOnly')]);
});

test('our own programs and pages are answered as of today', async () => {
  const { warnings } = await former.client.replaceEndpoint('pyex', PYEX);
  expect(warnings).toEqual([]);
  await expect(former.client.state('never')).rejects.toMatchObject({ code: 'not_found' });
  const page = { headers: { 'x-reactor-page': '1' } };
  expect((await former.ask('GET', '/v1.1/endpoints/never', page)).body.error?.code).toBe('not_found');
});

test('every write of 2013 answers nothing, and no other does', () => {
  const emptied = [...PATHS].flatMap(([path, routes]) =>
    [...routes].flatMap(([method, route]) =>
      ['POST', 'PUT', 'DELETE'].includes(method) && bodyIsEmpty(reply2013({ kind: 'json', body: {} }, { method, route }))
        ? [`${method} ${shapeOf(path)}`]
        : [],
    ),
  );
  const writes = tableIn('packages/api/README.md', 'Routes')
    .filter(([, , , state]) => state === 'same' || state === 'better')
    .flatMap(([route = '', old, own]) => {
      const [path = '', ...methods] = route.replaceAll('`', '').split(' ').reverse();
      const paths = [path, ...(own === 'yes' ? [path.replace('/endpoints/{ep}', '/endpoint')] : [])];
      const versions = old === 'only' ? ['v1.0'] : old === 'yes' ? ['v1.0', 'v1.1'] : ['v1.1'];
      return methods
        .filter((method) => method !== 'GET')
        .flatMap((method) => versions.flatMap((version) => paths.map((each) => `${method} ${shapeOf(`/${version}${each}`)}`)));
    });
  expect(emptied.sort()).toEqual(writes.sort());
});

const bodyIsEmpty = (reply: Reply): boolean => reply.kind === 'text' && reply.body === '';
const shapeOf = (path: string): string => path.replaceAll(/:[a-z]+|\{[a-z]+\}/g, '{}');
