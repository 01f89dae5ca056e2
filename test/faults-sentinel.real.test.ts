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

test(
  'the master is killed: the other takes over, no request fails, nothing is touched',
  async () => {
    const { cluster, view, ledger } = stage;
    ledger.allow({});
    const [asked] = cluster.hosts as readonly [Host];
    const before = await view.containers('pyex');
    stage.loadBegins();
    await cluster.redis.kill();
    await stage.writable('master killed', asked);
    await view.whole();
    await view.settled('pyex', INSTANCES);
    await cluster.redis.start();
    await stage.accounted('master killed');
    expect(await view.containers('pyex')).toEqual(before);
  },
  TEST_MS,
);

test(
  'the master is cut off together with the daemon beside it, which goes on writing there: what it wrote is given up, nothing is touched',
  async () => {
    const { cluster, view, ledger } = stage;
    ledger.allow({});
    const before = await view.containers('pyex');
    const { address } = await cluster.redis.master();
    const cut = cluster.hosts.find((host) => host.address === address)!;
    const rest = view.others(cut);
    const [asked] = rest as readonly [Host];
    stage.loadBegins(rest);
    const deathMs = performance.now();
    await cut.cut();
    await stage.writable('master cut off', asked);
    await until('the lease of the one cut off is gone, and one of the others leads', FAILOVER_MS, async () => {
      const leader = await view.leader(asked);
      return (await view.liveHosts(asked)) === 2 && leader !== undefined && leader !== cut;
    });
    const healed = stopwatch();
    await cut.heal();
    await view.whole(asked);
    await view.settled('pyex', INSTANCES, asked);
    await until('the one that was cut off sees the same', FAILOVER_MS, async () => (await view.liveHosts(cut)) === 3);
    figure(`master cut off: all as before ${healed()} after it was healed`);
    await stage.accounted('master cut off', { deathMs });
    expect(await view.containers('pyex')).toEqual(before);
  },
  TEST_MS,
);
