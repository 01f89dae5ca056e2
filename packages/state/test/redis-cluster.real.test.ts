import { setTimeout as delay } from 'node:timers/promises';
import type { StateStore } from '@reactor/core';
import { LIMITS, openRedis } from '@reactor/state';
import { storeConformance, until } from '@reactor/testkit';
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

let clusters = 0;
storeConformance('a node of a Redis cluster', async () => {
  clusters += 1;
  const prefix = `conformance-${clusters}`;
  const opened: StateStore[] = [];
  const open = async (known?: { readonly clusterId: string; readonly revision: number }) => {
    const store = await openRedis({ url: holder.url, prefix, ...(known === undefined ? {} : { known }) });
    opened.push(store);
    return store;
  };
  return {
    store: await open(),
    changesKept: LIMITS.changesKept,
    advance: (ms) => delay(ms),
    reopen: async () => {
      await opened.at(-1)?.close();
      return open();
    },
    openKnowing: open,
    replaceContents: async () => {
      await holder.command('HSET', `{reactor:${prefix}}:moment`, 'id', 'another-cluster');
    },
    close: async () => {
      for (const store of opened) await store.close();
    },
  };
});

test('a node that does not hold the state says which one does', async () => {
  await expect(openRedis({ url: other.url })).rejects.toMatchObject({
    code: 'state_unavailable',
    message: expect.stringMatching(new RegExp(`MOVED \\d+ 127\\.0\\.0\\.1:${holder.port}.*name the one that does`)),
  });
});
