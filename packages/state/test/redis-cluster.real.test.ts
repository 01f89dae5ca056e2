import { openRedis } from '@reactor/state';
import { storeConformance, until } from '@reactor/testkit';
import { harnessOn } from './redis-harness.js';
import { freePort, RedisServer } from './redis-server.js';

/** Two nodes: the first holds every slot, so that a key in the wrong one would be refused, and the second none. */
let holder: RedisServer;
let other: RedisServer;

const startNode = async (): Promise<RedisServer> =>
  RedisServer.start('--cluster-enabled', 'yes', '--cluster-port', String(await freePort()), '--cluster-node-timeout', '2000');

beforeAll(async () => {
  holder = await startNode();
  other = await startNode();
  await holder.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  const [, busPort] = (await other.command('CONFIG', 'GET', 'cluster-port')) as [string, string];
  await holder.command('CLUSTER', 'MEET', '127.0.0.1', String(other.port), busPort);
  for (const node of [holder, other]) {
    await until('the cluster serves every slot', 20_000, async () =>
      String(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok'),
    );
  }
});
afterAll(async () => {
  await holder.stop();
  await other.stop();
});

storeConformance('a node of a Redis cluster', () => harnessOn(holder));

test('a node that does not hold the state says which one does', async () => {
  await expect(openRedis({ url: other.url })).rejects.toMatchObject({
    code: 'state_unavailable',
    message: expect.stringMatching(new RegExp(`MOVED \\d+ 127\\.0\\.0\\.1:${holder.port}.*name the one that does`)),
  });
});
