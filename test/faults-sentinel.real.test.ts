import type { Host } from '@reactor/testkit';
import { type ClusterUnderLoad, figure, INSTANCES, openClusterUnderLoad, stopwatch } from './cluster-under-load.js';

/** The state in a master with a replica on other hosts, watched by three Sentinels. */

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
    await writes(asked);
    figure(`master killed: the state takes a write after ${took()}`);
    await view.whole();
    await view.settled('pyex', INSTANCES);
    await cluster.redis.start();
    await stage.accounted('master killed');
    expect(await view.containers('pyex')).toEqual(before);
  },
  TEST_MS,
);

/** The state is written through the API, again and again until it succeeds. */
async function writes(asked: Host): Promise<void> {
  for (;;) {
    const done = await stage.update({}, asked).then(
      () => true,
      () => false,
    );
    if (done) return;
  }
}
