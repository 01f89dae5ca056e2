import {
  exampleEndpoint,
  operationsDuring,
  type RunningReactor,
  type SteadyLoad,
  startLoad,
  startReactor,
  until,
} from '@reactor/testkit';

/** Load that steps and load that flaps: the target follows the one and is not fooled by the other. */

const ALPHA = 'http://127.0.0.1/';
const INTERVAL_MS = 1_000;
const WINDOW_MS = 3_000;
const DELAY_MS = 6_000;
const REST_MS = 10 * INTERVAL_MS;

let reactor: RunningReactor;

interface Seen {
  readonly atMs: number;
  readonly target: number;
  readonly total: number;
}

/** Target and instances (draining ones included), looked at ten times a second for a while. */
async function record(ms: number): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  const startedMs = Date.now();
  let dueMs = startedMs;
  await until('enough was seen', ms + 10_000, async () => {
    if (Date.now() < dueMs) return false;
    dueMs += 100;
    const [decision, state] = await Promise.all([
      reactor.get<{ record: { target: number } } | null>('/v1.1/endpoints/alpha/decision'),
      reactor.get<{ instances: Readonly<Record<string, number>> }>('/v1.1/endpoints/alpha/state'),
    ]);
    const { draining = 0, stopping = 0, ...meant } = state.instances;
    const total = Object.values(meant).reduce((a, b) => a + b, 0);
    if (decision !== null) seen.push({ atMs: Date.now() - startedMs, target: decision.record.target, total });
    return Date.now() - startedMs >= ms && draining + stopping >= 0;
  });
  return seen;
}

/** The moments at which the target moved, with where from and where to. */
function movesOf(seen: readonly Seen[]): readonly { readonly atMs: number; readonly from: number; readonly to: number }[] {
  return seen
    .slice(1)
    .flatMap(({ atMs, target }, index) =>
      target === seen[index]!.target ? [] : [{ atMs, from: seen[index]!.target, to: target }],
    );
}

const settled = (count: number): Promise<void> =>
  until(`alpha has ${count} ready instances and no other`, 60_000, async () => {
    const { instances } = await reactor.get<{ instances: Readonly<Record<string, number>> }>('/v1.1/endpoints/alpha/state');
    return instances['ready'] === count && Object.values(instances).reduce((a, b) => a + b, 0) === count;
  });

beforeAll(async () => {
  reactor = await startReactor({ interval: INTERVAL_MS / 1000 });
  const scaling = {
    min_instances: 1,
    max_instances: 8,
    rules: '8 < rate < 10',
    window: WINDOW_MS / 1000,
    scale_down_delay: DELAY_MS / 1000,
  };
  await reactor.reactor(['manage', 'alpha'], exampleEndpoint({ scaling }));
  await reactor.reactor(['start', 'alpha']);
  await settled(1);
  await until('it is served', 10_000, async () => (await fetch(ALPHA)).ok);
}, 60_000);
afterAll(() => reactor.stop(), 60_000);

test('a step of load from 1 to 44 and back: up within four rounds after the window covers it, one too many at most', async () => {
  const calm = startLoad({ url: ALPHA, perSecond: 1 });
  expect(movesOf(await record(WINDOW_MS + 2_000))).toEqual([]);
  const storm = startLoad({ url: ALPHA, perSecond: 43 });
  const up = await record(WINDOW_MS + 12_000);
  const right = 5;
  const lastMove = movesOf(up).at(-1);
  console.log(`step up: ${JSON.stringify(movesOf(up))}`);
  expect(up.at(-1)!.target).toBe(right);
  expect(Math.max(...up.map(({ target }) => target))).toBeLessThanOrEqual(right + 1);
  expect(Math.max(...up.map(({ total }) => total))).toBeLessThanOrEqual(8);
  expect(lastMove!.atMs).toBeLessThanOrEqual(WINDOW_MS + 4 * INTERVAL_MS);

  const stormed = await storm.stop();
  const down = await record(WINDOW_MS + DELAY_MS + 8_000);
  console.log(`step down: ${JSON.stringify(movesOf(down))}`);
  expect(down.at(-1)!.target).toBe(1);
  expect(movesOf(down).every(({ from, to }) => to < from)).toBe(true);
  expect(movesOf(down).at(-1)!.atMs).toBeLessThanOrEqual(WINDOW_MS + DELAY_MS + 4 * INTERVAL_MS);
  expect([...stormed.failures, ...(await calm.stop()).failures]).toEqual([]);
  await settled(1);
  expect(await operationsDuring(reactor, { ms: REST_MS })).toEqual([]);
}, 120_000);

test.each([
  ['the interval', INTERVAL_MS],
  ['the window', WINDOW_MS],
])(
  'load that flaps with the period of %s: the target does not follow it down within the delay',
  async (_what, periodMs) => {
    await settled(1);
    const spanMs = 20_000;
    const failures: string[] = [];
    let burst: SteadyLoad | null = null;
    const startedMs = Date.now();
    const flapping = (async () => {
      while (Date.now() - startedMs < spanMs) {
        burst = startLoad({ url: ALPHA, perSecond: 60 });
        await new Promise((resolve) => setTimeout(resolve, periodMs / 2));
        failures.push(...(await burst.stop()).failures);
        await new Promise((resolve) => setTimeout(resolve, periodMs / 2));
      }
    })();
    const seen = await record(spanMs);
    await flapping;
    const moves = movesOf(seen);
    console.log(`flapping every ${periodMs} ms: ${JSON.stringify(moves)}`);
    expect(failures).toEqual([]);
    expect(moves.length).toBeLessThanOrEqual(6);
    for (const { atMs, from, to } of moves) {
      const raised = moves.filter((move) => move.to > move.from && move.atMs < atMs && atMs - move.atMs < DELAY_MS);
      expect({ atMs, from, to, reversed: to < from && raised.length > 0 }).toEqual({ atMs, from, to, reversed: false });
    }
    await settled(1);
    expect(await operationsDuring(reactor, { ms: REST_MS })).toEqual([]);
  },
  120_000,
);
