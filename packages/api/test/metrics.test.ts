import { KEYS, postedReports, TOPICS } from '@reactor/core';
import { aHost } from '@reactor/testkit';
import { anInstance, aReport } from './placed-instances.js';
import { INI, JSON_TYPE, PYEX, type RunningApi, startApi } from './running-api.js';

/** Metrics that programs post: what is taken, what is refused and how it is said (B73 to B80), and what is shown of them. */

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
  await running.client.createEndpoint('pyex', PYEX);
  for (const [index, id] of ['i1', 'i2'].entries()) {
    await running.put(KEYS.instance(id), anInstance(id));
    await running.put(KEYS.report('host-a', id), aReport(id, { address: { host: '10.0.0.1', port: 20_000 + index } }));
  }
  await running.client.setValue('pyex', 'endpoint', 'static_instances', '10.7.7.7:81,db.example:5432');
  await running.put(KEYS.host('host-a'), aHost('host-a'));
});
afterEach(() => running.close());

const post = (text: string, backend?: string) => running.client.setMetrics('pyex', text, backend);
const refusal = async (text: string, backend?: string): Promise<string> => {
  const path = backend === undefined ? 'metrics' : `metrics/${encodeURIComponent(backend)}`;
  const answer = await running.ask('POST', `/v1.1/endpoints/pyex/${path}`, { headers: JSON_TYPE, body: text });
  return `${answer.status} ${answer.body.error?.message}`;
};
const posted = async () => postedReports(await running.store.latest(TOPICS.traffic)).get('pyex') ?? [];

test('they are shown with what the load balancers measure, weighed, and one after the other replaces its former report', async () => {
  expect(await post('{"queue": 12, "wait": [3, 0.25]}')).toEqual({ backend: null, countsForMs: 20_000 });
  expect(await running.client.metrics('pyex')).toEqual({ active: 0, queue: 12, wait: 0.25 });
  await post('{"wait": [1, 0.05]}', 'i1');
  expect(await running.client.metrics('pyex')).toEqual({ active: 0, queue: 12, wait: 0.2 });
  await post('{"queue": 4}');
  expect(await running.client.metrics('pyex')).toEqual({ active: 0, queue: 4, wait: 0.05 });
  await post('{}');
  expect(await running.client.metrics('pyex')).toEqual({ active: 0, wait: 0.05 });
});

test('B80: of two reports in one interval the last wins, they are not added', async () => {
  await post('{"queue": 12}', 'i1');
  await post('{"queue": 13}', '10.0.0.1:20000');
  expect(await posted()).toMatchObject([{ backend: 'i1', values: { queue: [1, 13] } }]);
});

test('loads of several backends add up, and are shown per instance that serves, as all loads are', async () => {
  await post('{"pending": 6}', 'i1');
  await post('{"pending": 2}', 'i2');
  expect(await running.client.metrics('pyex')).toEqual({ active: 0, pending: 2 });
});

test('after two windows without a newer one they are missing, not zero', async () => {
  await post('{"queue": 12}');
  running.clock.nowMs += 20_000;
  expect(await running.client.metrics('pyex')).toEqual({ active: 0, queue: 12 });
  running.clock.nowMs += 1;
  expect(await running.client.metrics('pyex')).toEqual({ active: 0 });
});

test.each([
  ['i2', 'i2'],
  ['10.0.0.1:20001', 'i2'],
  ['10.7.7.7', 'static:10.7.7.7:81'],
  ['db.example:5432', 'static:db.example:5432'],
  ['static:db.example:5432', 'static:db.example:5432'],
])('about one backend, called %s', async (called, backend) => {
  expect(await post('{"queue": 1}', called)).toMatchObject({ backend });
  const answer = await running.ask('GET', `/v1.1/endpoints/pyex/metrics/${called}`);
  expect(JSON.parse(answer.text)).toEqual({ active: 0, queue: 1 });
});

test.each([
  ['10.9.9.9', "404 10.9.9.9 is not a backend of 'pyex'"],
  ['10.0.0.1:2000', "404 10.0.0.1:2000 is not a backend of 'pyex'"],
  ['127.0.0.1', "404 127.0.0.1 is not a backend of 'pyex'"],
  ['10.0.0.1', "400 10.0.0.1 is the address of 2 backends of 'pyex': say which, as address:port or by its id"],
])('B78: %s is told that it is not one', async (called, message) => {
  expect(await refusal('{"queue": 1}', called)).toBe(message);
});

describe('what is no report is refused in one line and changes nothing', () => {
  const shape = 'rate: expected number or [weight, value]';
  const name = 'is not a metric name: expected letters, digits and _, not a digit first';
  test.each<readonly [string, string, string]>([
    ...['"12"', 'null', 'true', '[]', '[1]', '[1,2,3]', '{"x":1}', '["1",2]', '[1,null]'].map(
      (value) => [`B74 ${value}`, `{"rate":${value}}`, `400 ${shape}`] as const,
    ),
    ['B75 too large', '{"rate":1e999}', '400 rate: not finite'],
    ['B75 weight too large', '{"rate":[1e999,1]}', '400 rate: not finite'],
    ['B75 negative', '{"rate":-5}', '400 rate: negative'],
    ['B75 NaN', '{"rate":NaN}', '400 the body is not JSON'],
    ['B76 no weight', '{"rate":[0,5]}', '400 rate: weight must be > 0'],
    ['B76 negative weight', '{"rate":[-1,5]}', '400 rate: weight must be > 0'],
    [
      'B77 10,000 names',
      JSON.stringify(Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`m${i}`, 1]))),
      '400 10000 metrics, more than 64',
    ],
    ['B77 long name', `{"${'m'.repeat(1024)}":1}`, '400 metric name of 1024 characters, longer than 64'],
    ['B77 spaces', '{"a b":1}', `400 "a b" ${name}`],
    ['B77 angle', '{"<b>":1}', `400 "<b>" ${name}`],
    ['B77 newline', '{"a\\nb":1}', `400 "a\\nb" ${name}`],
    ['B77 prototype', '{"__proto__":1}', `400 "__proto__" ${name}`],
    ['B79 array', '[1]', '400 expected a JSON object of metric names, each with a number or [weight, value]'],
    ['B79 null', 'null', '400 expected a JSON object of metric names, each with a number or [weight, value]'],
    ['B79 trailing', '{"a":1}x', '400 the body is not JSON'],
    ['B79 truncated', '{"a":', '400 the body is not JSON'],
    ['a count of our own', '{"instances":3}', '400 instances: Reactor counts these itself; choose another name'],
  ])('%s', async (_what, text, message) => {
    expect(await refusal(text)).toBe(message);
    expect(await posted()).toEqual([]);
  });

  test('B79 compressed, and another type', async () => {
    const zipped = { headers: { ...JSON_TYPE, 'content-encoding': 'gzip' }, body: '{}' };
    expect((await running.ask('POST', '/v1.1/endpoints/pyex/metrics', zipped)).status).toBe(415);
    expect((await running.ask('POST', '/v1.1/endpoints/pyex/metrics', { headers: INI, body: '{}' })).status).toBe(415);
  });
});

test('names that every object has are metrics like any other', async () => {
  await post('{"constructor": 5, "toString": 6}');
  expect(await running.client.metrics('pyex')).toEqual({ active: 0, constructor: 5, toString: 6 });
});

test('a rule on a metric that programs report is not taken for a slip of the pen', async () => {
  const { warnings } = await running.client.setValue('pyex', 'scaling', 'rules', 'rates < 5');
  const slip = expect.stringMatching(/No source reports 'rates'.*did you mean 'rate'\?/);
  expect(warnings).toContainEqual(slip);
  await post('{"rates": 1}', 'i1');
  expect((await running.client.setValue('pyex', 'scaling', 'rules', 'rates < 6')).warnings).not.toContainEqual(slip);
});

describe('the sources of an endpoint', () => {
  const named = (name: string, key: string, source: string) => running.client.setValue(name, 'endpoint', key, source);
  beforeEach(async () => {
    for (const name of ['a', 'b', 'c']) await running.client.createEndpoint(name, { endpoint: { url: `http://${name}/` } });
  });

  test.each(['instances_source', 'metrics_source'])('B54: %s in a circle is refused and named', async (key) => {
    await expect(named('a', key, 'a')).rejects.toMatchObject({ message: `endpoint.${key}: cycle: a → a` });
    expect((await named('a', key, 'b')).warnings).toEqual([expect.stringContaining('unset')]);
    await expect(named('b', key, 'a')).rejects.toMatchObject({
      code: 'config_invalid',
      message: `endpoint.${key}: cycle: b → a → b`,
    });
    expect((await named('b', key, 'c')).warnings).toHaveLength(1);
    await expect(named('c', key, 'a')).rejects.toMatchObject({ message: `endpoint.${key}: cycle: c → a → b → c` });
  });

  test.each([
    ['instances_source', 'its own backends are served'],
    ['metrics_source', 'its rules have no data'],
  ])('B54: %s that is not there is told, and so is one that has its own', async (key, meanwhile) => {
    const missing = `endpoint.${key}: no endpoint 'x' yet; until there is, ${meanwhile}`;
    expect((await named('a', key, 'x')).warnings).toContain(missing);
    await named('b', key, 'c');
    expect((await named('a', key, 'b')).warnings).toContain(`endpoint.${key}: 'b' has 'c' as its own; here it counts for itself`);
  });
});
