import { type DecisionReport, decide, LOGS, NO_FAILURES, NO_HISTORY, packDecision, parseRules } from '@reactor/core';
import { PYEX, type RunningApi, startApi } from './running-api.js';

let running: RunningApi;
beforeEach(async () => {
  running = await startApi();
  await running.client.createEndpoint('pyex', PYEX);
});
afterEach(() => running.close());

const NOTHING_REMEMBERED = { targets: NO_HISTORY, failures: NO_FAILURES };
const SECOND = 1_700_000_000;
const at = (second: number): number => (SECOND + second) * 1_000;

function report(second: number, rate: number, endpoint = 'pyex'): DecisionReport {
  const rules = parseRules('rate <= 3.2');
  if (!rules.ok) throw new Error(rules.fault.message);
  const atMs = at(second);
  const { record } = decide({
    endpoint,
    atMs,
    epoch: 1,
    state: 'RUNNING',
    scaling: { minInstances: 1, maxInstances: 9, rules: rules.value, rampLimit: 5, windowMs: 10_000, scaleDownDelayMs: 0 },
    instances: 4,
    stable: {
      metrics: { rate: { kind: 'total', value: rate, ageMs: 1, sources: { reported: 1, expected: 1 } } },
      requests: 1,
      partial: false,
    },
    burst: { metrics: {}, requests: 0, partial: false },
    history: NO_HISTORY,
  });
  return { atMs, record, steps: [] };
}

const keep = (...reports: readonly DecisionReport[]): Promise<void> =>
  running.store.append(LOGS.decisions, reports.map(packDecision));

test('the newest decision is explained: every limit, why not more or fewer, and what would change it', async () => {
  expect(await running.client.explain('pyex', null)).toBeNull();
  await running.put('histories/pyex', { ...NOTHING_REMEMBERED, decision: report(0, 11) });
  expect(await running.client.explain('pyex', null)).toMatchObject({
    atMs: at(0),
    record: { target: 4 },
    explanation: {
      rules: [{ text: 'rate <= 3.2', value: 11, each: 2.75, ageMs: 1, sources: { reported: 1, expected: 1 }, range: [4, null] }],
      limits: [
        { limit: 'rules', before: null, after: [4, null] },
        { limit: 'bounds', before: [4, null], after: [4, 9] },
        { limit: 'picked', before: [4, 9], after: [4, 4] },
        { limit: 'delay', before: [4, 4], after: [4, 4] },
        { limit: 'ramp', before: [4, 4], after: [4, 4] },
        { limit: 'missing', before: [4, 4], after: [4, 4] },
      ],
      whyNotFewer: "'rate <= 3.2' needs at least 4 at 11.0/s in all",
      nearest: [{ metric: 'rate', direction: 'up', target: 5, text: '5 if rate passed 3.2/s per instance (12.8/s in all)' }],
    },
  });
});

test('a decision of another version is shown as it is', async () => {
  await running.put('histories/pyex', { ...NOTHING_REMEMBERED, decision: { atMs: 1, record: { target: 5 }, steps: [] } });
  expect(await running.client.explain('pyex', null)).toEqual({ atMs: 1, record: { target: 5 }, steps: [] });
});

describe('of the decisions that are kept', () => {
  beforeEach(() => keep(report(10, 11), report(20, 15), report(25, 90, 'other'), report(30, 25)));

  test('those of the endpoint are listed, newest first, each made again', async () => {
    const seconds = async (range = {}): Promise<readonly number[]> =>
      (await running.client.decisions('pyex', range)).map(({ atMs }) => atMs / 1_000 - SECOND);
    expect(await seconds()).toEqual([30, 20, 10]);
    expect(await seconds({ limit: 2 })).toEqual([30, 20]);
    expect(await seconds({ limit: 0 })).toEqual([]);
    expect(await seconds({ sinceMs: at(20) })).toEqual([30, 20]);
    expect(await seconds({ untilMs: at(20), limit: 1 })).toEqual([20]);
    const [newest] = await running.client.decisions('pyex');
    expect(newest).toMatchObject({
      endpoint: 'pyex',
      instances: 4,
      target: 8,
      reproduced: true,
      report: { record: { target: 8 } },
    });
  });

  test('the one in force at a moment is explained', async () => {
    expect(await running.client.explain('pyex', at(29))).toMatchObject({ atMs: at(20), record: { target: 5 }, reproduced: true });
    expect(await running.client.explain('pyex', at(30))).toMatchObject({
      atMs: at(30),
      explanation: { whyNotMore: expect.any(String) },
    });
    await expect(running.client.explain('pyex', at(9))).rejects.toMatchObject({ code: 'not_found' });
  });

  test('an old one is found behind many of others', async () => {
    const many = Array.from({ length: 1_500 }, (_, index) => packDecision(report(40 + index, 11, 'other')));
    await running.store.append(LOGS.decisions, many);
    expect(await running.client.decisions('pyex', { limit: 2 })).toHaveLength(2);
    expect(await running.client.explain('pyex', at(15))).toMatchObject({ atMs: at(10) });
  });
});

test.each(['at=x', 'at=-1', 'at=1&at=2'])('explain?%s is refused', async (query) => {
  expect((await running.ask('GET', `/v1.1/endpoints/pyex/explain?${query}`)).status).toBe(400);
});
