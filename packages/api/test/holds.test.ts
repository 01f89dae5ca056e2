import { JSON_TYPE, PYEX, type RunningApi, startApi } from './running-api.js';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
  await running.client.createEndpoint('pyex', PYEX);
  await running.client.act('pyex', 'start');
});
afterEach(() => running.close());

const HALF_AN_HOUR_MS = 1_800_000;

test('a hold is stored with the moment it ends, told in the log and shown by the state until then', async () => {
  const untilMs = running.clock.nowMs + HALF_AN_HOUR_MS;
  expect(await running.client.hold('pyex', 3, HALF_AN_HOUR_MS)).toMatchObject({ hold: { count: 3, untilMs }, warnings: [] });
  expect(await running.endpoint('pyex')).toMatchObject({ state: 'RUNNING', hold: { count: 3, untilMs } });
  expect((await running.client.log('pyex')).at(-1)).toEqual([
    expect.any(Number),
    'INFO',
    'held at 3 by the operator until 22:43 UTC',
    expect.any(Number),
    'HOLD_SET',
  ]);
  expect((await running.client.state('pyex')).hold).toEqual({ count: 3, untilMs });
  running.clock.nowMs = untilMs;
  expect((await running.client.state('pyex')).hold).toBeNull();
});

test('handing back leaves no trace but a line in the log, and is fine when nothing is held', async () => {
  await running.client.hold('pyex', 3, null);
  await running.client.hold('pyex', null, null);
  await running.client.hold('pyex', null, null);
  expect(await running.endpoint('pyex')).not.toHaveProperty('hold');
  const events = (await running.client.log('pyex')).map((row) => row[4]);
  expect(events.filter((event) => event.startsWith('HOLD'))).toEqual(['HOLD_SET', 'HOLD_ENDED']);
});

test('a hold stays through a change of the configuration and through stop and start', async () => {
  await running.client.hold('pyex', 3, null);
  await running.client.setValue('pyex', 'scaling', 'max_instances', '7');
  await running.client.act('pyex', 'stop');
  await running.client.act('pyex', 'start');
  expect(await running.endpoint('pyex')).toMatchObject({ hold: { count: 3, untilMs: null } });
});

test('what stands above a hold is said at once', async () => {
  expect((await running.client.hold('pyex', 9, null)).warnings).toEqual(['max_instances caps it at 5']);
  await running.client.act('pyex', 'pause');
  expect((await running.client.hold('pyex', 0, null)).warnings).toEqual([
    'this is below min_instances 1',
    'pyex is PAUSED: the hold counts once it is started',
  ]);
});

test.each([
  ['{"count":-1,"forMs":null}', 'count: expected a whole number from 0 to 10000'],
  ['{"count":1.5,"forMs":null}', 'count: expected a whole number'],
  ['{"count":"3","forMs":null}', 'count: expected a whole number'],
  ['{"count":3,"forMs":0}', 'forMs: expected a whole number from 1'],
  ['{"count":3}', "missing key 'forMs'"],
])('%s is refused and holds nothing', async (body, message) => {
  const answer = await running.ask('PUT', '/v1.1/endpoints/pyex/hold', { headers: JSON_TYPE, body });
  expect([answer.status, answer.body.error?.message]).toEqual([400, expect.stringContaining(message)]);
  expect(await running.endpoint('pyex')).not.toHaveProperty('hold');
});

test('an endpoint that is not there cannot be held', async () => {
  await expect(running.client.hold('other', 3, null)).rejects.toMatchObject({ code: 'not_found' });
});
