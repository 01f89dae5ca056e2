import type { Host } from '@reactor/testkit';
import { type ClusterUnderLoad, INSTANCES, openClusterUnderLoad } from './cluster-under-load.js';

/** The state in a Redis cluster of three masters on three hosts, with a replica of each on another one. */

let stage: ClusterUnderLoad;

beforeAll(async () => {
  stage = await openClusterUnderLoad({ state: 'cluster' });
}, 180_000);
afterAll(() => stage?.close(), 90_000);

test('the master of the state is killed: its replica takes over, no request fails, and it scales on', async () => {
  const { cluster, view, ledger } = stage;
  ledger.allow({});
  const [asked] = cluster.hosts as readonly [Host];
  const before = await view.containers('pyex');
  stage.loadBegins();
  await cluster.redis.kill();
  await stage.writable('master killed', asked);
  await view.whole();
  await view.settled('pyex', INSTANCES);
  expect(await view.containers('pyex')).toEqual(before);
  const more = INSTANCES + 1;
  await stage.update({ scaling: `min_instances=${more}\nmax_instances=${more}` }, asked);
  await view.settled('pyex', more);
  await cluster.redis.start();
  await stage.accounted('master killed');
}, 240_000);
