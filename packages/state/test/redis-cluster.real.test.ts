import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Lease, ReactorError, type StateStore, type StateView, type WatchEvent } from '@reactor/core';
import { openRedis } from '@reactor/state';
import { storeConformance, until } from '@reactor/testkit';
import { ACL_RULE } from '../src/redis-replies.js';
import { RedisCluster } from './redis-cluster.js';
import { harnessOn } from './redis-harness.js';
import { freePort, RedisServer } from './redis-server.js';
import { startWriter } from './settled-writer.js';

/** The cluster needs about 4 s to name another master, and a state that lost writes another 6; the rest is for a busy machine. */
const GAP_MS = 40_000;
const MOVES = 3;
const WRITES = 20;
const LEASE_MS = 20_000;

let cluster: RedisCluster;
let directory: string;
let prefixes = 0;
let stores: StateStore[] = [];
let stop: AbortController;

beforeAll(async () => {
  cluster = await RedisCluster.start();
  await cluster.tell('ACL', 'SETUSER', 'reactor', 'on', '>secret', ...ACL_RULE.split(' '));
}, 120_000);
afterAll(() => cluster.stop());
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reactor-copy-'));
  prefixes += 1;
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  for (const store of stores) await store.close();
  stores = [];
  rmSync(directory, { recursive: true, force: true });
  // No script of ours ever spanned two slots, whatever was going on.
  expect(await cluster.refusals('CROSSSLOT')).toBe(0);
});

const key = (): string => `{reactor:of-${prefixes}}:moment`;

async function open(url = cluster.url): Promise<StateStore> {
  const store = await openRedis({ url, prefix: `of-${prefixes}` });
  stores.push(store);
  return store;
}

function put(store: StateStore, name: string, value: number) {
  return store.commit({ expect: [], write: [{ key: name, value }] });
}

/** What a watcher knows, who reads anew when told to. */
function follow(store: StateStore) {
  const known = new Map<string, number>();
  let resyncs = 0;
  const take = (name: string, revision: number, isGone: boolean): void => {
    if (revision < (known.get(name) ?? 0)) return;
    if (isGone) known.delete(name);
    else known.set(name, revision);
  };
  const learn = async (event: WatchEvent): Promise<void> => {
    if (event.kind === 'changes') {
      for (const change of event.changes) take(change.key, change.revision, change.value === null);
      return;
    }
    resyncs += 1;
    const { entries } = await whenThere(() => store.read(''));
    known.clear();
    for (const [name, { revision }] of entries) known.set(name, revision);
  };
  const following = (async () => {
    for await (const event of store.watch('', 0, stop.signal)) await learn(event);
  })();
  const hasAll = ({ entries }: StateView): boolean =>
    known.size === entries.size && [...entries].every(([name, { revision }]) => known.get(name) === revision);
  return { following, resyncs: () => resyncs, hasAll };
}

/** Asks again while the state is away; anything else that goes wrong is thrown. */
async function whenThere<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof ReactorError && error.code === 'state_unavailable')) throw error;
    }
  }
}

/** Writes each of its keys once, until told to end; the revisions it was told. */
function startOnceWriter(store: StateStore, name: string) {
  const told = new Map<string, number>();
  let isStopping = false;
  const writing = (async () => {
    for (let n = 0; !isStopping; n += 1) {
      const result = await whenThere(() =>
        store.commit({ expect: [{ key: `${name}${n}`, revision: 0 }], write: [{ key: `${name}${n}`, value: n }] }),
      );
      // A conflict: a commit that failed without an answer had been done.
      if (result.kind === 'committed') told.set(`${name}${n}`, result.revision);
    }
    return told;
  })();
  const end = () => {
    isStopping = true;
    return writing;
  };
  return { told, end };
}

storeConformance('a Redis cluster, with no more rights than it needs,', () => harnessOn(cluster, 'reactor:secret@'));

test('every node leads to the state, also a replica', async () => {
  for (const server of cluster.servers) {
    const store = await open(`redis+cluster://127.0.0.1:${server.port}`);
    expect(await put(store, 'from', server.port)).toMatchObject({ kind: 'committed' });
  }
  expect((await stores[0]?.read(''))?.revision).toBe(cluster.servers.length);
});

test('a node that is cut off from all others, which go on, is left for the next one', async () => {
  const alone = await RedisServer.start('--cluster-enabled', 'yes', '--cluster-port', String(await freePort()));
  try {
    const store = await open(cluster.url.replace('://', `://127.0.0.1:${alone.port},`));
    expect(await put(store, 'a', 1)).toMatchObject({ kind: 'committed' });
    expect(await alone.says('INFO', 'errorstats')).toContain('errorstat_CLUSTERDOWN');
  } finally {
    await alone.stop();
  }
});

test('redis:// means one server: a node that does not hold the state says which one does', async () => {
  const holder = await cluster.holder(key());
  const [other] = await cluster.otherMasters(holder);
  await expect(open(other?.url)).rejects.toMatchObject({
    code: 'state_unavailable',
    message: expect.stringMatching(new RegExp(`MOVED \\d+ 127\\.0\\.0\\.1:${holder.port}.*use redis\\+cluster://`)),
  });
  const store = await open(holder.url);
  expect(await put(store, 'a', 1)).toMatchObject({ kind: 'committed' });
});

test('the slot moves from master to master under commits, leases and watches: nothing is lost, doubled or half done', async () => {
  const slot = await cluster.slot(key());
  const [one, two] = [await open(), await open()];
  const lease = await one.lease(LEASE_MS);
  await one.commit({ expect: [], write: [{ key: 'leased', value: 1, lease: lease.id }] });
  const watcher = follow(two);
  const writers = [startOnceWriter(one, 'a'), startOnceWriter(two, 'b')];
  const written = (): number => writers.reduce((sum, { told }) => sum + told.size, 0);
  for (let move = 0; move < MOVES; move += 1) {
    const before = written();
    await until('both write', GAP_MS, () => written() >= before + WRITES);
    const from = await cluster.holder(key());
    const [to] = await cluster.otherMasters(from);
    const refused = await cluster.refusals('TRYAGAIN');
    await cluster.migrate(slot, from, to as RedisServer, () =>
      until('a call meets the slot on its way', GAP_MS, async () => (await cluster.refusals('TRYAGAIN')) > refused),
    );
    expect(await whenThere(() => lease.keep())).toBe(true);
  }
  const before = written();
  await until('both write', GAP_MS, () => written() >= before + WRITES);
  const told = new Map((await Promise.all(writers.map(({ end }) => end()))).flatMap((each) => [...each]));
  const view = await two.read('');
  for (const [name, revision] of told) expect(view.entries.get(name)?.revision).toBe(revision);
  // Every revision wrote one key, and every key was written once.
  expect(view.revision).toBe(view.entries.size);
  expect(new Set([...view.entries.values()].map(({ revision }) => revision)).size).toBe(view.entries.size);
  await until('the watcher knows all of it', GAP_MS, () => watcher.hasAll(view));
  expect(watcher.resyncs()).toBeGreaterThan(0);
  await lease.release();
  stop.abort();
  await watcher.following;
}, 180_000);

test('what meets the slot on its way is refused whole: a lease that cannot be kept now is not lost', async () => {
  const slot = await cluster.slot(key());
  const store = await open();
  const lease: Lease = await store.lease(60_000);
  // So that every key exists that the script asks for, and Redis would begin it.
  await store.commit({ expect: [], write: [{ key: 'leased', value: 1, lease: lease.id }] });
  const from = await cluster.holder(key());
  const [to] = (await cluster.otherMasters(from)) as readonly [RedisServer];
  await cluster.beginMigration(slot, from, to);
  await expect(lease.keep()).rejects.toMatchObject({ code: 'state_unavailable', details: { reply: 'TRYAGAIN' } });
  for (const node of [from, to]) await node.command('CLUSTER', 'SETSLOT', String(slot), 'STABLE');
  expect(await lease.keep()).toBe(true);
  expect((await store.read('')).entries.get('leased')?.value).toBe(1);
});

test('a slot of others without a master: nothing is served where full coverage is wanted, and all where not', async () => {
  const store = await open();
  const [lost] = (await cluster.otherMasters(await cluster.holder(key()))) as readonly [RedisServer];
  const [replica] = (await cluster.replicasOf(lost)) as readonly [RedisServer];
  // The replica first, so that it does not take over.
  await replica.kill();
  await lost.kill();
  await cluster.reaches('fail');
  await expect(put(store, 'a', 1)).rejects.toMatchObject({
    code: 'state_unavailable',
    message: expect.stringContaining('cluster-require-full-coverage'),
    details: { reply: 'CLUSTERDOWN' },
  });
  await cluster.tell('CONFIG', 'SET', 'cluster-require-full-coverage', 'no');
  await cluster.reaches('ok');
  expect(await put(store, 'a', 2)).toMatchObject({ kind: 'committed' });
  await cluster.tell('CONFIG', 'SET', 'cluster-require-full-coverage', 'yes');
  await lost.run();
  await replica.run();
  await cluster.isWhole();
  expect(await put(store, 'a', 3)).toMatchObject({ kind: 'committed' });
}, 180_000);

describe('the master of the slot is gone', () => {
  let lines: string[];
  let store: StateStore;

  beforeEach(async () => {
    lines = [];
    const tell = (level: string, message: string) => lines.push(`${level}: ${message}`);
    store = await openRedis({ url: cluster.url, prefix: `of-${prefixes}`, copy: { directory, owner: 'vm1', tell } });
    stores.push(store);
  });

  const isReplaced = (old: RedisServer): Promise<void> =>
    until('another node is the master', GAP_MS, async () => (await cluster.holder(key()).catch(() => old)) !== old);

  test.each([
    ['killed', (old: RedisServer) => old.kill(), (old: RedisServer) => old.run()],
    ['held up', async (old: RedisServer) => old.signal('SIGSTOP'), async (old: RedisServer) => old.signal('SIGCONT')],
  ])(
    '%s: its replica takes over, nothing settled is lost, and it comes back as a replica',
    async (how, end, bringBack) => {
      const watcher = follow(store);
      const writer = startWriter(store);
      await until('some writes are settled', GAP_MS, () => writer.settled.length >= WRITES);
      const old = await cluster.holder(key());
      await end(old);
      await isReplaced(old);
      const before = writer.settled.length;
      await until('writes are settled again', GAP_MS, () => writer.settled.length > before + WRITES);
      await until('the watcher was told', GAP_MS, () => watcher.resyncs() > 0);
      const gapMs = await writer.stop();
      expect(gapMs).toBeLessThan(GAP_MS);
      const view = await store.read('');
      expect(writer.settled.filter((name) => !view.entries.has(name))).toEqual([]);
      process.stdout.write(
        `cluster failover, master ${how}: longest time without a write ${(gapMs / 1000).toFixed(1)} s; ${lines.join(' | ')}\n`,
      );
      await bringBack(old);
      await until('it follows the new one', GAP_MS, async () => (await old.says('INFO', 'replication')).includes('role:slave'));
      await cluster.isWhole();
      expect(await store.read('')).toEqual(view);
      expect(await put(store, 'after', 1)).toMatchObject({ kind: 'committed' });
      await until('it is on the replica', GAP_MS, () => store.settled(500));
    },
    180_000,
  );

  test('what its replica never got is not settled, and its loss is noticed', async () => {
    await put(store, 'a', 1);
    await until('it is on the replica', GAP_MS, () => store.settled(500));
    const old = await cluster.holder(key());
    const [replica] = (await cluster.replicasOf(old)) as readonly [RedisServer];
    // It may not log in any more, and so stays where it is.
    await replica.command('CONFIG', 'SET', 'masteruser', 'nobody', 'masterauth', 'wrong');
    await old.command('CLIENT', 'KILL', 'TYPE', 'REPLICA');
    await until('the replica is cut off', GAP_MS, async () =>
      (await old.says('INFO', 'replication')).includes('connected_slaves:0'),
    );
    for (let n = 2; n < 10; n += 1) await put(store, 'a', n);
    expect(await store.settled(500)).toBe(false);
    await old.kill();
    await isReplaced(old);
    await until('the state goes on', GAP_MS, async () => (await put(store, 'b', 1)).kind === 'committed');
    expect(lines).toContainEqual(expect.stringMatching(/^error: .* went back to revision 1, /));
    expect(lines).toContainEqual(expect.stringMatching(/^warning: (restored the cluster state|the cluster state goes on)/));
    await replica.command('CONFIG', 'SET', 'masteruser', '', 'masterauth', '');
    await old.run();
    await cluster.isWhole();
  }, 180_000);
});
