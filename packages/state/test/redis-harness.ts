import { setTimeout as delay } from 'node:timers/promises';
import type { StateStore } from '@reactor/core';
import { LIMITS, openRedis } from '@reactor/state';
import type { StoreHarness } from '@reactor/testkit';
import type { RedisServer } from './redis-server.js';

let clusters = 0;

/** A cluster state of its own in that Redis for the conformance suite. `user` is empty, or `NAME:PASSWORD@`. */
export async function harnessOn(server: Pick<RedisServer, 'url' | 'command'>, user = ''): Promise<StoreHarness> {
  clusters += 1;
  const prefix = `conformance-${clusters}`;
  const url = server.url.replace('://', `://${user}`);
  const opened: StateStore[] = [];
  const open = async (known?: { readonly clusterId: string; readonly revision: number }): Promise<StateStore> => {
    const store = await openRedis({ url, prefix, ...(known === undefined ? {} : { known }) });
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
      await server.command('HSET', `{reactor:${prefix}}:moment`, 'id', 'another-cluster');
    },
    close: async () => {
      for (const store of opened) await store.close();
    },
  };
}
