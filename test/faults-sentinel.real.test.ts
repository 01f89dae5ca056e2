import { type Host, until } from '@reactor/testkit';
import { type ClusterUnderLoad, figure, INSTANCES, openClusterUnderLoad, stopwatch } from './cluster-under-load.js';

/** The state in a master with a replica on other hosts, watched by three Sentinels. */

/** Sentinel's own time-outs, twice over, on a loaded machine. */
const FAILOVER_MS = 60_000;
const TEST_MS = 240_000;

let stage: ClusterUnderLoad;

beforeAll(async () => {
  stage = await openClusterUnderLoad({ state: 'sentinel' });
}, 180_000);
afterAll(() => stage?.close(), 90_000);

test.each(['the first master', 'the second'])(
  '%s is killed: the other takes over, no request fails, nothing is touched',
  async () => {
    const { cluster, view, ledger } = stage;
    ledger.allow({});
    const [asked] = cluster.hosts as readonly [Host];
    const before = await view.containers('pyex');
    stage.loadBegins();
    await cluster.redis.kill();
    const took = stopwatch();
    await until('a write through the API succeeds', FAILOVER_MS, async () => {
      await stage.update({}, asked);
      return true;
    });
    figure(`master killed: the state takes a write after ${took()}`);
    await view.whole();
    await view.settled('pyex', INSTANCES);
    await cluster.redis.start();
    await stage.accounted('master killed');
    expect(await view.containers('pyex')).toEqual(before);
  },
  TEST_MS,
);
