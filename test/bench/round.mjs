import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRound } from '../../packages/controller/dist/index.js';
import { KEYS, publishedTraffic, TOPICS } from '../../packages/core/dist/index.js';
import { openEmbedded, openRedis } from '../../packages/state/dist/index.js';
import { figure } from './figure.mjs';
import { createResolver, ENDPOINTS, largeCluster, trafficReports } from './large-cluster.mjs';
import { startRedis } from './redis-process.mjs';
import { alternate, median, timed } from './sample.mjs';

/** A whole round of the controller, observe, plan and commit, on either store, against merely reading the same data. */

const PAIRS = 5;
/** Each needs several rounds to settle. */
const BUSY_PAIRS = 3;
const WARM_UP = 3;
const GROWING = ENDPOINTS / 10;
const EPOCH = 1;
/** Growth is limited per round, so it takes several until a cluster is settled. */
const SETTLE_ROUNDS = 8;
const WRITES_PER_COMMIT = 2_000;
const TRAFFIC_TTL_MS = 600_000;

export async function measure(say) {
  const directory = mkdtempSync(join(tmpdir(), 'reactor-bench-'));
  const redis = await startRedis();
  const embedded = await openEmbedded({ directory });
  const remote = await openRedis({ url: redis.url });
  try {
    return [
      ...(await figuresOf({
        say,
        kind: 'embedded',
        store: embedded,
        peer: 'read and latest of all',
        look: () => readAll(embedded),
      })),
      ...(await figuresOf({
        say,
        kind: 'Redis',
        store: remote,
        peer: 'HGETALL of all',
        look: () => hashesOf(redis.client),
        requests: redis.requestsRead,
      })),
    ];
  } finally {
    await embedded.close();
    await remote.close();
    await redis.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function figuresOf({ say, kind, store, peer, look, requests }) {
  say(`${kind}: filling the state`);
  const startMs = Date.now();
  let rounds = 0;
  // A tenth of a second per round, so that the same traffic stays fresh for as long as this takes.
  const clock = { now: () => startMs + rounds * 100, sleep: async () => {} };
  const leadership = await fill(store, startMs);
  await publish(store, startMs, 0);
  const run = createRound({
    store,
    clock,
    meter: NO_METER,
    log: say,
    // At rest there are none; the daemon writes them into a log of the state.
    alarms: { settle: () => {}, forget: () => {}, open: () => [] },
    diary: { tell: () => {} },
    muster: { note: () => {} },
    resolve: createResolver(),
    random: () => 0.5,
    newId: newIds(),
  });
  const round = async () => {
    rounds += 1;
    return run(leadership);
  };
  await settle(round);
  for (let warm = 0; warm < WARM_UP; warm++) await round();

  say(`${kind}: ${PAIRS} idle rounds, ${BUSY_PAIRS} in which ${GROWING} endpoints grow`);
  const before = await requests?.();
  await expectResult(round, 'idle');
  const trips = requests ? (await requests()) - before : 0;
  const idle = await alternate(
    PAIRS,
    () => timed(() => expectResult(round, 'idle')),
    () => timed(look),
  );
  const busy = await alternate(
    BUSY_PAIRS,
    async (pair) => {
      await publish(store, startMs, (pair + 1) * GROWING);
      const tookMs = await timed(() => expectResult(round, 'planned'));
      await settle(round);
      return tookMs;
    },
    () => timed(look),
  );
  const roundFigure = (name, samples) =>
    figure({
      id: 'P5',
      name: `${name}, ${kind}`,
      unit: 'ms',
      ours: median(samples.ours),
      peer: { name: peer, value: median(samples.peer) },
      targets: [{ of: 'ours', op: '<=', limit: 250 }],
    });
  return [
    roundFigure('controller round with nothing to do', idle),
    roundFigure(`controller round with ${GROWING} endpoints growing`, busy),
    ...(requests ? [roundTrips(trips)] : []),
  ];
}

function roundTrips(trips) {
  const targets = [{ of: 'ours', op: '<=', limit: 3 }];
  return figure({
    id: 'P5',
    name: 'round with nothing to do, Redis',
    unit: 'round trips',
    ours: trips,
    peer: { name: 'one read', value: 1 },
    targets,
  });
}

async function expectResult(round, wanted) {
  const result = await round();
  if (result !== wanted) throw new Error(`a round was '${result}', not '${wanted}'`);
}

async function settle(round) {
  for (let left = SETTLE_ROUNDS; left > 0; left--) if ((await round()) === 'idle') return;
  throw new Error(`not settled after ${SETTLE_ROUNDS} rounds`);
}

/** Stores the cluster; answers the leadership that its rounds need. */
async function fill(store, nowMs) {
  const records = largeCluster(nowMs).filter(([key]) => key !== KEYS.leader);
  for (let start = 0; start < records.length; start += WRITES_PER_COMMIT) {
    const write = records.slice(start, start + WRITES_PER_COMMIT).map(([key, value]) => ({ key, value }));
    await store.commit({ expect: [], write });
  }
  const { revision } = await store.commit({ expect: [], write: [{ key: KEYS.leader, value: { host: 'h000', epoch: EPOCH } }] });
  return { epoch: EPOCH, host: 'h000', revision, quietUntilMs: 0, holds: () => true };
}

async function publish(store, nowMs, surging) {
  for (const [host, report] of trafficReports(nowMs, { surging }))
    await store.publish(publishedTraffic(host, report), TRAFFIC_TTL_MS);
}

async function readAll(store) {
  await store.read('');
  await store.latest(TOPICS.traffic);
}

/** What a program without a store of its own would do: take both hashes and parse them. */
async function hashesOf(client) {
  for (const name of ['values', 'topics']) {
    const hash = await client.hgetall(`{reactor:default}:${name}`);
    const texts = Object.values(hash);
    if (texts.length === 0) throw new Error(`Redis has no hash '${name}'`);
    // Of records the revision stands before the value.
    for (const text of texts) JSON.parse(text.startsWith('{') ? text : text.slice(text.indexOf(' ') + 1));
  }
}

function newIds() {
  let ids = 0;
  return () => `new${String(++ids).padStart(7, '0')}`;
}

const NO_METER = { add: () => {}, set: () => {}, observe: () => {} };
