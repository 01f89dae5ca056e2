import type { StateStore } from '@reactor/core';
import { openRedis } from '@reactor/state';
import { storeConformance } from '@reactor/testkit';
import { ACL_RULE } from '../src/redis-replies.js';
import { harnessOn } from './redis-harness.js';
import { RedisServer } from './redis-server.js';

let server: RedisServer;

beforeAll(async () => {
  server = await RedisServer.start();
  await server.command('ACL', 'SETUSER', 'reactor', 'on', '>secret', ...ACL_RULE.split(' '));
});
afterAll(() => server.stop());

storeConformance('Redis, with no more rights than it needs,', () => harnessOn(server, 'reactor:secret@'));

describe('two daemons on one Redis', () => {
  test('see each other’s commits and lose no update', async () => {
    const [one, two] = await Promise.all([
      openRedis({ url: server.url, prefix: 'pair' }),
      openRedis({ url: server.url, prefix: 'pair' }),
    ]);
    const increment = async (store: StateStore) => {
      for (let done = 0; done < 50; ) {
        const entry = (await store.read('n')).entries.get('n');
        const result = await store.commit({
          expect: [{ key: 'n', revision: entry?.revision ?? 0 }],
          write: [{ key: 'n', value: Number(entry?.value ?? 0) + 1 }],
        });
        if (result.kind === 'committed') done += 1;
      }
    };
    await Promise.all([increment(one), increment(two)]);
    expect((await one.read('n')).entries.get('n')?.value).toBe(100);
    await Promise.all([one.close(), two.close()]);
  });

  test('keep the keys of a lease that another one holds, and see it end', async () => {
    const [one, two] = await Promise.all([
      openRedis({ url: server.url, prefix: 'leases' }),
      openRedis({ url: server.url, prefix: 'leases' }),
    ]);
    const lease = await one.lease(400);
    const result = await one.commit({ expect: [], write: [{ key: 'h', value: 1, lease: lease.id }] });
    if (result.kind === 'conflict') throw new Error('conflict');
    await one.close();
    expect((await two.read('')).entries.size).toBe(1);
    for await (const event of two.watch('', result.revision, AbortSignal.timeout(5_000))) {
      expect(event).toEqual({ kind: 'changes', changes: [{ key: 'h', value: null, revision: result.revision + 1 }] });
      break;
    }
    expect((await two.read('')).entries.size).toBe(0);
    await two.close();
  });

  test('with different prefixes share nothing', async () => {
    const [one, two] = await Promise.all([
      openRedis({ url: server.url, prefix: 'left' }),
      openRedis({ url: server.url, prefix: 'right' }),
    ]);
    await one.commit({ expect: [], write: [{ key: 'a', value: 1 }] });
    expect(await two.read('')).toMatchObject({ revision: 0 });
    expect((await one.read('')).clusterId).not.toBe((await two.read('')).clusterId);
    await Promise.all([one.close(), two.close()]);
  });
});
