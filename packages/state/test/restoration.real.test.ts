import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Json, StateStore, StateView } from '@reactor/core';
import { openRedis } from '@reactor/state';
import { until } from '@reactor/testkit';
import { RedisServer } from './redis-server.js';

/** A look every second, 5 s for offers, and room for a machine that is busy. */
const RESTORED_MS = 25_000;
const MOMENT = '{reactor:default}:moment';

let server: RedisServer;
let directory: string;
let stores: StateStore[] = [];
let lines: string[] = [];

beforeEach(async () => {
  server = await RedisServer.start();
  directory = mkdtempSync(join(tmpdir(), 'reactor-copy-'));
  lines = [];
});
afterEach(async () => {
  for (const store of stores) await store.close();
  stores = [];
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** A store as a daemon of that host opens it. */
async function open(host: string, options: { readonly forget?: boolean } = {}): Promise<StateStore> {
  const copy = {
    directory: join(directory, host),
    owner: host,
    tell: (level: string, message: string) => lines.push(`${host} ${level}: ${message}`),
    ...options,
  };
  const store = await openRedis({ url: server.url, copy });
  stores.push(store);
  return store;
}

function put(store: StateStore, values: Readonly<Record<string, Json>>) {
  return store.commit({ expect: [], write: Object.entries(values).map(([key, value]) => ({ key, value })) });
}

function plain(view: StateView): Readonly<Record<string, Json>> {
  return Object.fromEntries([...view.entries].map(([key, { value }]) => [key, value]));
}

/** Until the state can be read again; what is in it. */
async function restored(store: StateStore): Promise<StateView> {
  let view: StateView | null = null;
  await until('the state is back', RESTORED_MS, async () => {
    view = await store.read('').catch(() => null);
    return view !== null;
  });
  if (view === null) throw new Error('the state was not read');
  return view;
}

/** The copy is written beside the state; a moment later it is there. */
async function copied(host: string, store: StateStore): Promise<void> {
  const { revision } = await store.read('');
  // The last write to the copy is the moment, which names the revision.
  await until(`the copy of ${host} is at revision ${revision}`, 10_000, () =>
    readFileSync(join(directory, host, 'data.mdb'), 'latin1').includes(`{"revision":${revision},`),
  );
}

test('an emptied state is restored from the copy, as it was and at a later revision, and watchers are told', async () => {
  const store = await open('vm1');
  await put(store, { 'endpoints/a': { n: 'ü' }, 'instances/1': [1, null], gone: 1 });
  await put(store, { gone: null });
  const lease = await store.lease(60_000);
  await store.commit({ expect: [], write: [{ key: 'hosts/vm1', value: 1, lease: lease.id }] });
  const before = await store.read('');
  await copied('vm1', store);
  const events = store.watch('', before.revision, AbortSignal.timeout(RESTORED_MS))[Symbol.asyncIterator]();
  const event = events.next();
  await server.command('FLUSHALL');
  expect((await event).value).toEqual({ kind: 'resync' });
  const after = await restored(store);
  expect(after.clusterId).toBe(before.clusterId);
  expect(after.revision).toBe(before.revision + 1_000_000);
  // What was under a lease is for its owner to bring back, who learns that the lease is over.
  expect(plain(after)).toEqual({ 'endpoints/a': { n: 'ü' }, 'instances/1': [1, null] });
  expect(after.entries.get('endpoints/a')?.revision).toBe(before.entries.get('endpoints/a')?.revision);
  expect(await lease.keep()).toBe(false);
  expect((await events.next()).value).toEqual({ kind: 'resync' });
  expect(await put(store, { b: 2 })).toEqual({ kind: 'committed', revision: after.revision + 1 });
  expect((await events.next()).value).toMatchObject({ kind: 'changes', changes: [{ key: 'b', value: 2 }] });
  await events.return?.(undefined);
  expect(lines).toEqual([
    expect.stringMatching(/^vm1 error: .* is empty, .*waiting 5 s for the copies of other hosts/),
    expect.stringMatching(
      /^vm1 warning: restored the cluster state: 2 keys from this host's copy of revision 3, now revision 1000003/,
    ),
  ]);
  expect(await server.command('TTL', '{reactor:default}:values')).toBe(-1);
}, 60_000);

test('Redis restarted with an old dump, or with nothing, is given the latest state again, and both hosts go on', async () => {
  const [one, two] = [await open('vm1'), await open('vm2')];
  await put(one, { a: 1, removed: 1 });
  await server.command('SAVE');
  await put(one, { a: 2, removed: null });
  await put(two, { b: 1 });
  await Promise.all([copied('vm1', one), copied('vm2', two)]);
  await server.kill();
  await server.run();
  // Until it is restored it is refused, whatever is asked.
  await until('it is refused', 10_000, () =>
    put(one, { a: 'too early' }).then(
      () => Promise.reject(new Error('an old state was written to')),
      (error: { readonly code?: string }) => error.code === 'state_foreign',
    ),
  );
  expect(plain(await restored(one))).toEqual({ a: 2, b: 1 });
  expect(plain(await restored(two))).toEqual({ a: 2, b: 1 });
  await put(two, { c: 1 });
  await Promise.all([copied('vm1', one), copied('vm2', two)]);
  await server.kill();
  rmSync(join(server.home, 'dump.rdb'));
  await server.run();
  expect(plain(await restored(two))).toEqual({ a: 2, b: 1, c: 1 });
  expect(plain(await restored(one))).toEqual({ a: 2, b: 1, c: 1 });
  expect(lines.filter((line) => line.includes('restored the cluster state: '))).toHaveLength(2);
}, 90_000);

test('of several copies the latest is restored, by one host only, and all others go on with it', async () => {
  const [one, two, three] = [await open('vm1'), await open('vm2'), await open('vm3')];
  await put(one, { a: 1 });
  await copied('vm1', one);
  await copied('vm2', two);
  await one.close();
  await put(two, { a: 2 });
  const { revision } = await two.read('');
  await Promise.all([copied('vm2', two), copied('vm3', three)]);
  await server.command('FLUSHALL');
  // The host with the old copy comes back in the middle of it.
  const [again, second, third] = await Promise.all([open('vm1'), restored(two), restored(three)]);
  expect(plain(second)).toEqual({ a: 2 });
  expect(plain(third)).toEqual({ a: 2 });
  expect(plain(await again.read(''))).toEqual({ a: 2 });
  expect(second.revision).toBe(revision + 1_000_000);
  expect(lines.filter((line) => line.includes('restored the cluster state: '))).toEqual([
    expect.stringMatching(/^vm2 .*1 keys from this host's copy/),
  ]);
  expect(
    lines
      .filter((line) => line.includes('another host restored it'))
      .map((line) => line.slice(0, 3))
      .sort(),
  ).toEqual(['vm1', 'vm3']);
}, 60_000);

test('a restarted daemon knows an emptied, an older and a foreign state by its copy', async () => {
  const store = await open('vm1');
  await put(store, { a: 1 });
  await put(store, { a: 2 });
  const { clusterId, revision } = await store.read('');
  await copied('vm1', store);
  await store.close();

  await server.command('FLUSHALL');
  const afterFlush = await open('vm1');
  expect(await afterFlush.read('')).toMatchObject({ clusterId, revision: revision + 1_000_000 });
  expect(plain(await afterFlush.read(''))).toEqual({ a: 2 });
  await afterFlush.close();

  await server.command('HSET', MOMENT, 'revision', '1');
  const afterOldDump = await open('vm1');
  expect((await afterOldDump.read('')).revision).toBeGreaterThanOrEqual(revision + 2_000_000);
  expect(plain(await afterOldDump.read(''))).toEqual({ a: 2 });
  await afterOldDump.close();

  await server.command('HSET', MOMENT, 'id', 'somebody-else');
  const held = open('vm1');
  await until('it says whose state this is', 10_000, () =>
    lines.some((line) => /belongs to cluster somebody-else.*--accept-state/.test(line)),
  );
  await delay(6_000);
  expect(await server.command('HGET', MOMENT, 'id')).toBe('somebody-else');
  expect(await server.command('EXISTS', '{reactor:default}:offers')).toBe(0);
  await server.command('HSET', MOMENT, 'id', clusterId);
  expect(plain(await (await held).read(''))).toEqual({ a: 2 });
}, 90_000);

test('told to accept the state that is there, a daemon forgets its copy and takes it', async () => {
  const store = await open('vm1');
  await put(store, { a: 1 });
  await copied('vm1', store);
  await store.close();
  await server.command('HSET', MOMENT, 'id', 'somebody-else');
  const accepting = await open('vm1', { forget: true });
  expect((await accepting.read('')).clusterId).toBe('somebody-else');
  await copied('vm1', accepting);
  await accepting.close();
  // And knows it from then on.
  const again = await open('vm1');
  expect((await again.read('')).clusterId).toBe('somebody-else');
}, 30_000);

test('a new host that meets an emptied state waits for the copies of others instead of founding a cluster', async () => {
  const store = await open('vm1');
  await put(store, { a: 1 });
  const { clusterId } = await store.read('');
  await copied('vm1', store);
  // Noticed by nobody yet: whoever runs looks every second.
  const watching = store.watch('', 1, AbortSignal.timeout(RESTORED_MS))[Symbol.asyncIterator]();
  const first = watching.next();
  await server.command('FLUSHALL');
  const fresh = await open('vm9');
  expect((await fresh.read('')).clusterId).toBe(clusterId);
  expect(plain(await fresh.read(''))).toEqual({ a: 1 });
  expect((await first).value).toEqual({ kind: 'resync' });
  await watching.return?.(undefined);
}, 60_000);

test('a damaged copy is said once, never used, and begun anew from the state', async () => {
  const store = await open('vm1');
  await put(store, { 'endpoints/marker-of-the-test': 'x'.repeat(40) });
  await copied('vm1', store);
  await store.close();
  const file = join(directory, 'vm1', 'data.mdb');
  const bytes = readFileSync(file);
  for (let at = bytes.indexOf('xxxxxxxx'); at >= 0; at = bytes.indexOf('xxxxxxxx', at + 8)) bytes.write('y', at);
  writeFileSync(file, bytes);
  const again = await open('vm1');
  expect(lines).toEqual([expect.stringMatching(/vm1 error: the copy .* cannot be used and is begun anew: .*fails its checksum/)]);
  await copied('vm1', again);
  await again.close();
  await open('vm1');
  expect(lines).toHaveLength(1);
  expect(readdirSync(join(directory, 'vm1'))).toContain('data.mdb');
}, 30_000);

test('writes that the state lost and gave to others are noticed; after a while the state is taken as it went on', async () => {
  const [one, two] = [await open('vm1'), await openRedis({ url: server.url })];
  stores.push(two);
  await put(one, { a: 1 });
  const dump = String(await server.command('HGET', MOMENT, 'mark'));
  await two.read('');
  // As a replica that never got revision 2 and became the master: its number and its key are another writer's.
  await put(one, { a: 'lost' });
  await server.command('HSET', MOMENT, 'revision', '1', 'mark', dump);
  await server.command('XDEL', '{reactor:default}:changes', '2-0');
  await server.command('DEL', '{reactor:default}:changes', '{reactor:default}:wake');
  expect(await put(two, { a: 'kept', b: 1 })).toMatchObject({ revision: 2 });
  await expect(one.read('')).rejects.toMatchObject({ code: 'state_foreign', details: { kind: 'split' } });
  await put(two, { c: 1 });
  await expect(put(one, { a: 'on top' })).rejects.toMatchObject({ code: 'state_foreign', details: { kind: 'split' } });
  await until('it goes on', 50_000, async () => (await one.read('').catch(() => null)) !== null);
  expect(plain(await one.read(''))).toEqual({ a: 'kept', b: 1, c: 1 });
  expect(lines.at(-1)).toContain('without the writes that were lost');
  await put(one, { d: 1 });
  await copied('vm1', one);
}, 90_000);

test('a state that lost its last writes but has more than any copy goes on as it is, at a later revision', async () => {
  const store = await open('vm1');
  await put(store, { a: 1 });
  await copied('vm1', store);
  await put(store, { a: 2 });
  await put(store, { b: 1 });
  await put(store, { b: 2 });
  // The last commit is lost; the copy has at most what is left, for it reads the same state.
  await server.command('HSET', MOMENT, 'revision', '3');
  const after = await restored(store);
  expect(after.revision).toBe(1_000_004);
  expect(after.entries.get('a')?.value).toBe(2);
  expect(lines.at(-1)).toMatch(/goes on from revision 3, the latest that is left of it, now revision 1000004$/);
  expect(await put(store, { c: 1 })).toMatchObject({ revision: 1_000_005 });
}, 60_000);

test('a copy of 12 MB is restored whole', async () => {
  const store = await open('vm1');
  const text = 'x'.repeat(1_000);
  for (let part = 0; part < 4; part += 1) {
    await put(store, Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`histories/${part}-${n}`, text])));
  }
  await copied('vm1', store);
  await server.command('FLUSHALL');
  const startedMs = performance.now();
  const view = await restored(store);
  process.stdout.write(`12 MB restored ${(performance.now() - startedMs).toFixed(0)} ms after they were lost\n`);
  expect(view.entries.size).toBe(12_000);
  expect([...view.entries.values()].every(({ value }) => value === text)).toBe(true);
  expect((await store.read('histories/3-29')).entries.size).toBe(111);
}, 60_000);

test('at rest the copy asks for nothing', async () => {
  const store = await open('vm1');
  await put(store, { a: 1 });
  await copied('vm1', store);
  await delay(2_000);
  const calls = async (): Promise<number> => {
    const text = String(await server.command('INFO', 'commandstats'));
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(text)?.[1] ?? 0);
  };
  const before = await calls();
  await delay(3_000);
  expect(await calls()).toBe(before);
}, 30_000);
