import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StateStore } from '@reactor/core';
import { openRedis } from '@reactor/state';
import { until } from '@reactor/testkit';
import type { RedisServer } from './redis-server.js';
import { SentinelGroup } from './sentinel-group.js';
import { startWriter } from './settled-writer.js';

/** Sentinel needs about 3 s, the client 4 to leave a silent master, and lost writes another 6; the rest is for a busy machine. */
const GAP_MS = 25_000;

let group: SentinelGroup;
let store: StateStore;
let directory: string;
const lines: string[] = [];

beforeEach(async () => {
  group = await SentinelGroup.start(2);
  directory = mkdtempSync(join(tmpdir(), 'reactor-copy-'));
  lines.length = 0;
  const tell = (level: string, message: string) => lines.push(`${level}: ${message}`);
  store = await openRedis({ url: group.url, copy: { directory, owner: 'vm1', tell } });
}, 60_000);
afterEach(async () => {
  await store.close();
  await group.stop();
  rmSync(directory, { recursive: true, force: true });
}, 60_000);

async function failover(what: string, fail: (master: RedisServer) => Promise<void>): Promise<RedisServer> {
  const { revision } = await store.read('');
  const events = store.watch('', revision, AbortSignal.timeout(60_000));
  let resyncs = 0;
  const watching = (async () => {
    for await (const event of events) if (event.kind === 'resync') resyncs += 1;
  })();
  const writer = startWriter(store);
  await until('some writes are settled', 20_000, () => writer.settled.length >= 20);
  const old = await group.master();
  await fail(old);
  await until('another one is the master', 30_000, async () => (await group.master()) !== old);
  const before = writer.settled.length;
  await until('writes are settled again', GAP_MS, () => writer.settled.length > before + 20);
  await until('the watcher was told', 10_000, () => resyncs > 0);
  const gapMs = await writer.stop();
  expect(gapMs).toBeLessThan(GAP_MS);
  const { entries } = await store.read('');
  expect(writer.settled.filter((key) => !entries.has(key))).toEqual([]);
  process.stdout.write(`failover ${what}: longest time without a write ${(gapMs / 1000).toFixed(1)} s; ${lines.join(' | ')}\n`);
  void watching;
  return old;
}

test('a master that is killed is replaced, nothing settled is lost, and it comes back as a replica', async () => {
  const old = await failover('by kill', (master) => master.kill());
  const before = await store.read('');
  await old.run();
  await until('the old master follows the new one', 30_000, async () =>
    String(await old.command('INFO', 'replication')).includes('role:slave'),
  );
  expect(await store.read('')).toEqual(before);
  expect(await store.commit({ expect: [], write: [{ key: 'after', value: 1 }] })).toMatchObject({ kind: 'committed' });
  await until('it is on the replicas', 30_000, () => store.settled(500));
}, 150_000);

test('a master that hangs is left for the new one, and when it goes on nothing of the old time is taken for the state', async () => {
  const old = await failover('of a master that hangs', async (master) => master.signal('SIGSTOP'));
  const before = await store.read('');
  old.signal('SIGCONT');
  await until('the old master follows the new one', 30_000, async () =>
    String(await old.command('INFO', 'replication').catch(() => '')).includes('role:slave'),
  );
  const after = await store.read('');
  expect(after.revision).toBeGreaterThanOrEqual(before.revision);
  expect([...before.entries.keys()].filter((key) => !after.entries.has(key))).toEqual([]);
}, 150_000);

test('what only the master has is not settled', async () => {
  const master = await group.master();
  const replicas = group.servers.filter((server) => server !== master);
  expect(await store.commit({ expect: [], write: [{ key: 'a', value: 1 }] })).toMatchObject({ kind: 'committed' });
  await until('it is on the replicas', 10_000, () => store.settled(500));
  replicas[0]?.signal('SIGSTOP');
  replicas[1]?.signal('SIGSTOP');
  expect(await store.commit({ expect: [], write: [{ key: 'a', value: 2 }] })).toMatchObject({ kind: 'committed' });
  expect(await store.settled(200)).toBe(false);
  for (const replica of replicas) replica.signal('SIGCONT');
  await until('it is on the replicas', 20_000, () => store.settled(500));
}, 60_000);
