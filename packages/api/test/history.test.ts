import { type RecordedBlock, type RecordedRound, type Recording, readRecording } from '@reactor/core';
import { PYEX, type RunningApi, startApi } from './running-api.js';

/** What a host has recorded, as points to draw and in full. */

const START_MS = 1_700_000_000_000;

const round = (second: number, rate: number | null, change: Partial<RecordedRound> = {}): RecordedRound => ({
  ...{
    atMs: START_MS + second * 1000,
    state: 'RUNNING',
    instances: 2,
    settled: 2,
    ready: 2,
    target: 2,
    shadow: null,
    hold: null,
  },
  ...{ partial: false, thin: [], metrics: { ...(rate === null ? {} : { rate }), response: 0.25 }, burst: null },
  ...change,
});

function blockOf(rounds: readonly RecordedRound[]): RecordedBlock {
  const scaling = {
    minInstances: 1,
    maxInstances: 5,
    rules: ['0 < rate < 10'],
    rampLimit: 5,
    windowMs: 10_000,
    scaleDownDelayMs: 30_000,
  };
  const recording: Recording = { endpoint: 'pyex', scaling, history: { targets: [] }, thinned: false, rounds };
  return { firstMs: rounds[0]!.atMs, lastMs: rounds.at(-1)!.atMs, read: () => recording };
}

let running: RunningApi;
let asked: unknown[] = [];
const blocks = [
  blockOf([round(0, 8), round(1, 12, { target: 3, shadow: 4 }), round(2, null, { instances: 3, target: 3 })]),
  blockOf([round(300, 9), round(301, 10)]),
];

beforeEach(async () => {
  asked = [];
  const history = {
    blocks: (...range: readonly unknown[]) => {
      asked.push(range);
      return blocks;
    },
  };
  running = await startApi({ history });
  await running.client.createEndpoint('pyex', PYEX);
});
afterEach(() => running.close());

test('is drawn a point a step: loads of each instance, null where a rule had no data, what the candidate wanted', async () => {
  const { stepMs, points } = await running.client.history('pyex', { sinceMs: START_MS, untilMs: START_MS + 4_000 });
  expect(stepMs).toBe(1_000);
  expect(points).toEqual([
    {
      atMs: START_MS,
      state: 'RUNNING',
      instances: 2,
      ready: 2,
      target: 2,
      shadowTarget: null,
      metrics: { rate: 4, response: 0.25 },
    },
    {
      atMs: START_MS + 1_000,
      state: 'RUNNING',
      instances: 2,
      ready: 2,
      target: 3,
      shadowTarget: 4,
      metrics: { rate: 6, response: 0.25 },
    },
    {
      atMs: START_MS + 2_000,
      state: 'RUNNING',
      instances: 3,
      ready: 2,
      target: 3,
      shadowTarget: null,
      metrics: { rate: null, response: 0.25 },
    },
    {
      atMs: START_MS + 3_000,
      state: 'RUNNING',
      instances: 3,
      ready: 2,
      target: 3,
      shadowTarget: null,
      metrics: { rate: null, response: 0.25 },
    },
  ]);
});

test('has no more points than asked for, and none where nobody looked for minutes', async () => {
  const { stepMs, points } = await running.client.history('pyex', { sinceMs: START_MS, untilMs: START_MS + 400_000, points: 40 });
  expect(stepMs).toBe(10_000);
  const seconds = points.map(({ atMs }) => (atMs - START_MS) / 1000);
  expect(seconds.slice(0, 13)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120]);
  expect(seconds[13]).toBe(300);
  expect(seconds).toHaveLength(23);
});

test('is told in full, a line of JSON per block, under every name of the endpoint', async () => {
  await running.ask('POST', '/v1.1/endpoints/pyex/alias', { headers: { 'content-type': 'application/json' }, body: '"other"' });
  const { status, headers, text } = await running.ask(
    'GET',
    `/v1.1/endpoints/other/recording?since=${START_MS}&until=${START_MS + 1}`,
  );
  expect([status, headers.get('content-type')]).toEqual([200, 'application/x-ndjson']);
  const lines = text.trim().split('\n').map(readRecording);
  expect(lines).toEqual(blocks.map((block) => block.read()));
  expect(asked).toEqual([['pyex', START_MS, START_MS + 1]]);
});

test('is the last hour unless a time is given', async () => {
  await running.ask('GET', '/v1.1/endpoints/pyex/history');
  expect(asked).toEqual([['pyex', START_MS - 3_600_000, START_MS]]);
});

test('is nothing where no history is kept, and of no endpoint that is not there', async () => {
  const bare = await startApi();
  await bare.client.createEndpoint('pyex', PYEX);
  expect((await bare.client.history('pyex', { sinceMs: 0, untilMs: 1_000 })).points).toEqual([]);
  await bare.close();
  await expect(running.client.history('nobody', { sinceMs: 0, untilMs: 1_000 })).rejects.toMatchObject({ code: 'not_found' });
});

test.each([
  ['since=5&until=5', 'since: expected a moment before until (5), got 5'],
  ['since=yesterday', `since: expected a whole number from 0 to ${Number.MAX_SAFE_INTEGER}, got 'yesterday'`],
  ['points=5001', "points: expected a whole number from 0 to 5000, got '5001'"],
])('refuses %s', async (query, message) => {
  const { status, body } = await running.ask('GET', `/v1.1/endpoints/pyex/history?${query}`);
  expect([status, body.error]).toEqual([400, { code: 'request_invalid', message, details: {} }]);
});
