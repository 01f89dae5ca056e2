import { mkdirSync, rmdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Json, ReactorError, type StateStore } from '@reactor/core';
import { openRedis } from '@reactor/state';
import { until } from '@reactor/testkit';
import { ACL_RULE } from '../src/redis-replies.js';
import { RedisServer, timeUntilSuccess } from './redis-server.js';
import { SilentProxy } from './silent-proxy.js';

/** A call ends within 5 s whatever happens to Redis; the rest is for a busy machine. */
const CALL_MS = 6_000;

let server: RedisServer;
let stores: StateStore[] = [];
let problems: ReactorError[] = [];

async function start(...settings: string[]): Promise<StateStore> {
  server = await RedisServer.start(...settings);
  return open();
}

async function open(url = server.url): Promise<StateStore> {
  const store = await openRedis({ url, onProblem: (error) => problems.push(error) });
  stores.push(store);
  return store;
}

function put(store: StateStore, key: string, value: Json) {
  return store.commit({ expect: [], write: [{ key, value }] });
}

async function failure(call: Promise<unknown>): Promise<ReactorError> {
  const error: unknown = await call.then(
    () => null,
    (thrown) => thrown,
  );
  if (!(error instanceof ReactorError)) throw new Error(`expected a ReactorError, got ${String(error)}`);
  return error;
}

afterEach(async () => {
  for (const store of stores) await store.close();
  stores = [];
  problems = [];
  await server.stop();
});

test('nothing answered is lost when Redis is killed and restarted with its append-only file', async () => {
  const store = await start('--appendonly', 'yes', '--appendfsync', 'always');
  const { clusterId } = await store.read('');
  const answered = new Map<string, number>();
  let isStopping = false;
  const committing = (async () => {
    for (let n = 0; !isStopping; n += 1) {
      try {
        const result = await put(store, `k${n}`, n);
        if (result.kind === 'committed') answered.set(`k${n}`, result.revision);
      } catch (error) {
        expect(error).toMatchObject({ code: 'state_unavailable' });
      }
    }
  })();
  for (let round = 0; round < 3; round += 1) {
    const before = answered.size;
    while (answered.size < before + 30) await delay(5);
    await server.kill();
    await server.run();
  }
  const before = answered.size;
  while (answered.size < before + 30) await delay(5);
  isStopping = true;
  await committing;
  const view = await (await open()).read('');
  expect(view.clusterId).toBe(clusterId);
  for (const [key, revision] of answered) expect(view.entries.get(key)?.revision).toBe(revision);
  // A retried commit is applied once: every revision has exactly one key.
  expect(view.revision).toBe(view.entries.size);
  expect(new Set(answered.values()).size).toBe(answered.size);
}, 30_000);

test('a watcher resyncs after the connection was lost and goes on', async () => {
  const store = await start('--appendonly', 'yes', '--appendfsync', 'always');
  await put(store, 'a', 1);
  const { revision } = await store.read('');
  const stop = new AbortController();
  const events = store.watch('', revision, stop.signal)[Symbol.asyncIterator]();
  const first = events.next();
  await server.kill();
  await server.run();
  expect((await first).value).toEqual({ kind: 'resync' });
  const second = events.next();
  await timeUntilSuccess(() => put(store, 'a', 2), CALL_MS);
  expect((await second).value).toMatchObject({ kind: 'changes', changes: [{ key: 'a', value: 2 }] });
  stop.abort();
}, 30_000);

test('FLUSHALL makes every call fail with state_foreign and leaves the empty Redis empty', async () => {
  const store = await start();
  await put(store, 'a', 1);
  const { clusterId } = await store.read('');
  await server.command('FLUSHALL');
  const error = await failure(store.read(''));
  expect(error).toMatchObject({ code: 'state_foreign', details: { clusterId: '', knownClusterId: clusterId, knownRevision: 1 } });
  expect(error.message).toContain(`is empty, expected cluster ${clusterId} at revision 1 or later`);
  expect(await failure(put(store, 'a', 2))).toMatchObject({ code: 'state_foreign' });
  expect(await server.command('DBSIZE')).toBe(0);
});

test('a Redis that came back with an older state is refused', async () => {
  const store = await start();
  await put(store, 'a', 1);
  await server.command('HSET', '{reactor:default}:moment', 'revision', '0');
  const error = await failure(put(store, 'a', 2));
  expect(error.code).toBe('state_foreign');
  expect(error.message).toContain('went back to revision 0');
});

test('a Redis that falls silent fails calls within 5 s and is back within 2 s of answering again', async () => {
  const store = await start();
  await put(store, 'a', 1);
  server.signal('SIGSTOP');
  const startedMs = performance.now();
  const error = await failure(put(store, 'a', 2));
  const failedMs = performance.now() - startedMs;
  expect(error.code).toBe('state_unavailable');
  expect(failedMs).toBeLessThan(CALL_MS);
  server.signal('SIGCONT');
  const backMs = await timeUntilSuccess(() => store.read(''), CALL_MS);
  expect(backMs).toBeLessThan(5_000);
  expect(problems.map(({ code }) => code)).toEqual(['state_unavailable']);
  process.stdout.write(`silent Redis: failed after ${failedMs.toFixed(0)} ms, back ${backMs.toFixed(0)} ms after it answers\n`);
}, 20_000);

test('a connection that goes dead silently is left within 6 s', async () => {
  await start();
  const proxy = await SilentProxy.start(server.port);
  const store = await open(proxy.url);
  await put(store, 'a', 1);
  proxy.freeze();
  const recoveredMs = await timeUntilSuccess(() => put(store, 'a', 2), 20_000);
  await store.close();
  await proxy.stop();
  expect(recoveredMs).toBeLessThan(6_000);
  process.stdout.write(`dead connection: committed over a new one ${recoveredMs.toFixed(0)} ms after it died\n`);
}, 30_000);

test('a watcher whose connection goes dead silently resyncs within 6 s', async () => {
  await start();
  const proxy = await SilentProxy.start(server.port);
  const store = await open(proxy.url);
  await put(store, 'a', 1);
  const { revision } = await store.read('');
  const event = store.watch('', revision, AbortSignal.timeout(20_000))[Symbol.asyncIterator]().next();
  await delay(100);
  proxy.freeze();
  const startedMs = performance.now();
  const { value } = await event;
  const resyncedMs = performance.now() - startedMs;
  await store.close();
  await proxy.stop();
  expect(value).toEqual({ kind: 'resync' });
  expect(resyncedMs).toBeLessThan(6_500);
}, 30_000);

test('a commit whose answer was lost is applied once and gets the answer it had', async () => {
  await start();
  const proxy = await SilentProxy.start(server.port);
  const store = await open(proxy.url);
  const { revision } = await store.read('');
  proxy.dropNextAnswer();
  const result = await store.commit({ expect: [{ key: 'a', revision: 0 }], write: [{ key: 'a', value: 1 }] });
  expect(result).toEqual({ kind: 'committed', revision: revision + 1 });
  expect((await store.read('')).revision).toBe(revision + 1);
  await store.close();
  await proxy.stop();
}, 20_000);

test('a Redis that is not there is state_unavailable and says where it was looked for', async () => {
  await start();
  const [, port] = /:(\d+)$/.exec(server.url) ?? [];
  await server.kill();
  const error = await failure(open(server.url.replace('redis://', 'redis://user:s3cret@')));
  expect(error.code).toBe('state_unavailable');
  expect(error.message).toContain(`redis://127.0.0.1:${port}/0`);
  expect(error.message).toContain('ECONNREFUSED');
  expect(error.message).not.toContain('s3cret');
}, 20_000);

test.each([
  ['a wrong password', 'redis://:wrong@', 'WRONGPASS'],
  ['a missing password', 'redis://', 'NOAUTH'],
])('%s is told with the reply of Redis and never shows the password', async (_, scheme, reply) => {
  server = await RedisServer.start('--requirepass', 'right');
  const error = await failure(open(server.url.replace('redis://', scheme)));
  expect(error).toMatchObject({ code: 'state_unavailable', details: { reply } });
  expect(error.message).toContain('state URL');
  expect(error.message).not.toContain('wrong@');
});

test('a database that Redis does not have is told with its reply, and nothing is written to another one', async () => {
  server = await RedisServer.start();
  const error = await failure(open(`${server.url}/99`));
  expect(error).toMatchObject({ code: 'state_unavailable', details: { reply: 'ERR' } });
  expect(error.message).toContain('DB index is out of range');
  expect(await server.command('INFO', 'keyspace')).not.toMatch(/^db\d/m);
});

test.each(['xdel', 'rename', 'info', 'wait', 'hkeys', 'evalsha'])(
  'a user without the right to %s is refused when opening, with what to grant',
  async (command) => {
    server = await RedisServer.start();
    await server.command('ACL', 'SETUSER', 'reactor', 'on', '>secret', ...ACL_RULE.split(' '), `-${command}`);
    const url = server.url.replace('redis://', 'redis://reactor:secret@');
    const error = await failure(open(url));
    expect(error).toMatchObject({ code: 'state_unavailable', details: { reply: 'NOPERM' } });
    expect(error.message).toContain(`ACL SETUSER <user> on ><password> ${ACL_RULE}`);
    await server.command('ACL', 'SETUSER', 'reactor', `+${command}`);
    const store = await open(url);
    expect(await put(store, 'a', 1)).toMatchObject({ kind: 'committed' });
  },
);

test('a Redis out of memory refuses commits whole, still reads, still keeps leases, and recovers', async () => {
  const store = await start('--maxmemory-policy', 'noeviction');
  await put(store, 'a', 1);
  const lease = await store.lease(60_000);
  await server.command('CONFIG', 'SET', 'maxmemory', '1');
  const error = await failure(put(store, 'a', 2));
  expect(error).toMatchObject({ code: 'state_unavailable', details: { reply: 'OOM' } });
  expect(error.message).toContain('raise maxmemory');
  expect(await lease.keep()).toBe(true);
  const view = await store.read('');
  expect([view.revision, view.entries.get('a')?.value]).toEqual([1, 1]);
  await server.command('CONFIG', 'SET', 'maxmemory', '0');
  expect(await put(store, 'a', 2)).toEqual({ kind: 'committed', revision: 2 });
  expect(problems.map(({ details }) => details.reply)).toEqual(['OOM']);
});

test('a replica refuses commits with READONLY and is still read', async () => {
  const store = await start();
  await put(store, 'a', 1);
  await server.command('REPLICAOF', '127.0.0.1', '1');
  const error = await failure(put(store, 'a', 2));
  expect(error).toMatchObject({ code: 'state_unavailable', details: { reply: 'READONLY' } });
  expect((await store.read('')).entries.get('a')?.value).toBe(1);
});

test('a master without enough replicas, or one that cannot save, refuses commits whole', async () => {
  const store = await start();
  await put(store, 'a', 1);
  await server.command('CONFIG', 'SET', 'min-replicas-to-write', '1');
  expect(await failure(put(store, 'a', 2))).toMatchObject({ details: { reply: 'NOREPLICAS' } });
  await server.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
  expect(await put(store, 'a', 2)).toEqual({ kind: 'committed', revision: 2 });
});

test('a Redis that is held up by a script says BUSY', async () => {
  const store = await start('--lua-time-limit', '50');
  const holding = server.command('EVAL', 'while true do end', '0').catch(() => undefined);
  await delay(300);
  const error = await failure(put(store, 'a', 1));
  expect(error).toMatchObject({ code: 'state_unavailable', details: { reply: 'BUSY' } });
  await server.command('SCRIPT', 'KILL');
  await holding;
  expect(await put(store, 'a', 1)).toMatchObject({ kind: 'committed' });
});

test('a Redis that is loading its data says LOADING, and is there when it has', async () => {
  // It answers while it loads after every 100 bytes only, and waits 2 ms before each key.
  const slowly = ['--key-load-delay', '2000', '--loading-process-events-interval-bytes', '1024'];
  const store = await start('--appendonly', 'yes', '--appendfsync', 'always', ...slowly);
  await put(store, 'a', 1);
  await server.command('MSET', ...Array.from({ length: 1_500 }, (_, n) => [`filler-${n}`, 'x']).flat());
  await server.command('BGREWRITEAOF');
  await until('it is written anew', 20_000, async () =>
    String(await server.command('INFO', 'persistence')).includes('aof_rewrite_in_progress:0'),
  );
  await server.kill();
  const running = server.run();
  await until('a call is refused', 20_000, async () => {
    const error: unknown = await store.read('').catch((thrown: unknown) => thrown);
    return error instanceof ReactorError && error.details['reply'] === 'LOADING';
  });
  await running;
  await timeUntilSuccess(() => store.read(''), 20_000);
  expect((await store.read('')).entries.get('a')?.value).toBe(1);
}, 60_000);

test('a Redis that cannot save says MISCONF and refuses commits whole, once per change', async () => {
  const store = await start();
  await put(store, 'a', 1);
  await server.command('CONFIG', 'SET', 'save', '1 1', 'stop-writes-on-bgsave-error', 'yes');
  const kept = `${server.home}/dump.rdb`;
  mkdirSync(kept);
  await server.command('SET', 'changed', '1');
  await server.command('BGSAVE').catch(() => undefined);
  await until('the save has failed', 20_000, async () =>
    String(await server.command('INFO', 'persistence')).includes('rdb_last_bgsave_status:err'),
  );
  problems = [];
  for (let n = 0; n < 3; n += 1) {
    const error = await failure(put(store, 'a', 2));
    expect(error).toMatchObject({ code: 'state_unavailable', details: { reply: 'MISCONF' } });
    expect(error.message).toContain('make room on its disk');
  }
  expect(problems).toHaveLength(1);
  rmdirSync(kept);
  await server.command('SAVE');
  expect(await put(store, 'a', 2)).toEqual({ kind: 'committed', revision: 2 });
}, 60_000);

test('scripts that Redis forgot are sent again', async () => {
  const store = await start();
  await put(store, 'a', 1);
  await server.command('SCRIPT', 'FLUSH');
  expect(await put(store, 'a', 2)).toEqual({ kind: 'committed', revision: 2 });
});
