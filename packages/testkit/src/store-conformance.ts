/// <reference types="jest" />
import {
  type Commit,
  type Json,
  LOGS,
  type LogEntry,
  type StateChange,
  type StateStore,
  type StateView,
  type WatchEvent,
} from '@reactor/core';

/**
 * What every store must do, run on the embedded one, on Redis and on the fake; one thing, because it is the meaning of the
 * port. Tests of the same store share no keys: each works below a prefix of its own.
 */
export interface StoreHarness {
  readonly store: StateStore;
  /** Revisions a watcher may be behind before it has to resync. */
  readonly changesKept: number;
  /** Lets at least that much time pass for leases and publications. */
  advance(ms: number): Promise<void>;
  /** Closes the store and opens it on the same data, as after a restart of the daemon. */
  reopen?(): Promise<StateStore>;
  /** Opens what is there with the knowledge of a later revision, as a daemon does after a failover that lost writes. */
  openKnowing?(known: { readonly clusterId: string; readonly revision: number }): Promise<StateStore>;
  /** Makes the contents another cluster's, under the open store. */
  replaceContents?(): Promise<void>;
  close(): Promise<void>;
}

/** Long enough that a busy machine does not let a lease end between two keeps, short enough to wait for its end. */
const LEASE_MS = 1_500;
const PATIENCE_MS = 5_000;
const MIB = 1024 * 1024;

export function storeConformance(name: string, open: () => Promise<StoreHarness>): void {
  describe(`${name} as a cluster state`, () => {
    let harness: StoreHarness;
    let store: StateStore;

    beforeEach(async () => {
      harness = await open();
      store = harness.store;
    });
    afterEach(() => harness.close());

    describe('commit', () => commitTests(() => store));
    describe('settled', () => settlingTests(() => store));
    describe('read', () => readTests(() => store));
    describe('watch', () => watchTests(() => harness));
    describe('lease', () => leaseTests(() => harness));
    describe('log', () => logTests(() => store));
    describe('publication', () => publicationTests(() => harness));
    describe('limits', () => limitTests(() => store));
    describe('identity', () => identityTests(() => harness));
  });
}

function commitTests(store: () => StateStore): void {
  test('writes all keys at one revision, which is the next one', async () => {
    const before = (await store().read('')).revision;
    const result = await put(store(), { 'a/1': { n: 1 }, 'a/2': ['x', null, 1.5, 'ü€😀'] });
    expect(result).toEqual({ kind: 'committed', revision: before + 1 });
    const view = await store().read('a/');
    expect(view.revision).toBe(before + 1);
    expect(plain(view)).toEqual({ 'a/1': { n: 1 }, 'a/2': ['x', null, 1.5, 'ü€😀'] });
    expect(view.entries.get('a/1')?.revision).toBe(before + 1);
  });

  test('expects a key to be absent', async () => {
    expect(await store().commit(change({ a: 1 }, { a: 0 }))).toMatchObject({ kind: 'committed' });
    expect(await store().commit(change({ a: 2 }, { a: 0 }))).toEqual({ kind: 'conflict', key: 'a' });
    expect(plain(await store().read(''))).toEqual({ a: 1 });
  });

  test('expects a key to be at a revision', async () => {
    const first = await revisionOf(put(store(), { a: 1 }));
    const second = await revisionOf(store().commit(change({ a: 2 }, { a: first })));
    expect(await store().commit(change({ a: 3 }, { a: first }))).toEqual({ kind: 'conflict', key: 'a' });
    expect(await store().commit(change({ a: 3 }, { a: second }))).toMatchObject({ kind: 'committed' });
  });

  test('writes nothing when one of many expectations fails', async () => {
    const at = await revisionOf(put(store(), { a: 1, b: 1 }));
    const result = await store().commit(change({ a: 2, b: 2, c: 2 }, { a: at, b: at + 1, c: 0 }));
    expect(result).toEqual({ kind: 'conflict', key: 'b' });
    const view = await store().read('');
    expect(plain(view)).toEqual({ a: 1, b: 1 });
    expect(view.revision).toBe(at);
  });

  test('deletes with null, and the key is absent afterwards', async () => {
    await put(store(), { a: 1, b: 2 });
    await put(store(), { a: null, missing: null });
    expect(plain(await store().read(''))).toEqual({ b: 2 });
    expect(await store().commit(change({ a: 3 }, { a: 0 }))).toMatchObject({ kind: 'committed' });
  });

  test('checks without writing, and still counts as a commit', async () => {
    const at = await revisionOf(put(store(), { a: 1 }));
    expect(await store().commit(change({}, { a: at }))).toEqual({ kind: 'committed', revision: at + 1 });
    expect((await store().read('')).entries.get('a')?.revision).toBe(at);
  });

  test('keeps what was committed, whatever the caller does to its object later', async () => {
    const value = { list: [1] };
    await put(store(), { a: value });
    value.list.push(2);
    expect(plain(await store().read(''))).toEqual({ a: { list: [1] } });
  });

  test('loses no update of concurrent committers', async () => {
    await put(store(), { counter: 0 });
    const increments = 25;
    const increment = async () => {
      for (;;) {
        const entry = (await store().read('counter')).entries.get('counter');
        const next = Number(entry?.value) + 1;
        const result = await store().commit(change({ counter: next }, { counter: entry?.revision ?? 0 }));
        if (result.kind === 'committed') return;
      }
    };
    await Promise.all(Array.from({ length: increments }, increment));
    expect(plain(await store().read(''))).toEqual({ counter: increments });
  });

  test('gives every one of many simultaneous commits a revision of its own', async () => {
    const before = (await store().read('')).revision;
    const commits = Array.from({ length: 50 }, (_, index) => revisionOf(put(store(), { [`k${index}`]: index })));
    const revisions = await Promise.all(commits);
    expect([...revisions].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, index) => before + 1 + index));
  });
}

function settlingTests(store: () => StateStore): void {
  test('is settled at once without replicas, before and after a commit, and does not move', async () => {
    expect(await store().settled(1_000)).toBe(true);
    const revision = await revisionOf(put(store(), { a: 1 }));
    expect(await store().settled(1_000)).toBe(true);
    expect((await store().read('')).revision).toBe(revision);
  });
}

function readTests(store: () => StateStore): void {
  test('returns what is below the prefix and nothing else', async () => {
    await put(store(), { 'a/1': 1, 'a/2': 2, ab: 3, a: 4, b: 5 });
    expect(plain(await store().read('a/'))).toEqual({ 'a/1': 1, 'a/2': 2 });
    expect(plain(await store().read('a'))).toEqual({ 'a/1': 1, 'a/2': 2, ab: 3, a: 4 });
    expect(plain(await store().read('c'))).toEqual({});
    expect((await store().read('')).entries.size).toBe(5);
  });

  test('shows one moment: keys that are always written together are always equal', async () => {
    await put(store(), { x: 0, y: 0 });
    const writing = (async () => {
      for (let n = 1; n <= 40; n += 1) await put(store(), { x: n, y: n });
    })();
    let isDone = false;
    const finished = writing.then(() => {
      isDone = true;
    });
    let views = 0;
    while (!isDone) {
      const { x, y } = plain(await store().read('')) as { x: number; y: number };
      expect(x).toBe(y);
      views += 1;
      // A store in memory answers without ever letting the disk have its turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await finished;
    expect(views).toBeGreaterThan(0);
  });

  test('returns a known view as it is while nothing moves', async () => {
    await put(store(), { 'a/1': 1 });
    const known = await store().read('a/');
    expect(await store().read('a/', known)).toBe(known);
  });

  test('reads the same with a known view as without, whatever happened since', async () => {
    await put(store(), { 'a/1': 1, 'a/2': 2, 'b/1': 1 });
    const known = await store().read('a/');
    await put(store(), { 'b/1': 2 });
    expect(sameView(await store().read('a/', known))).toEqual(sameView(await store().read('a/')));
    await put(store(), { 'a/1': 10, 'a/2': null, 'a/3': 3 });
    const later = await store().read('a/', known);
    expect(sameView(later)).toEqual(sameView(await store().read('a/')));
    expect(plain(later)).toEqual({ 'a/1': 10, 'a/3': 3 });
    expect(plain(known)).toEqual({ 'a/1': 1, 'a/2': 2 });
  });

  test('fails with state_unavailable once it is closed', async () => {
    await store().close();
    await expect(store().read('')).rejects.toMatchObject({ code: 'state_unavailable' });
    await expect(put(store(), { a: 1 })).rejects.toMatchObject({ code: 'state_unavailable' });
  });
}

function watchTests(harness: () => StoreHarness): void {
  test('tells every change after the revision, in order, once', async () => {
    const { store } = harness();
    const from = await revisionOf(put(store, { a: 0 }));
    await put(store, { a: 1 });
    const watching = collect(store, '', from, 4);
    await put(store, { b: 1, a: 2 });
    await put(store, { a: null });
    expect(await watching).toEqual([
      { key: 'a', value: 1, revision: from + 1 },
      { key: 'b', value: 1, revision: from + 2 },
      { key: 'a', value: 2, revision: from + 2 },
      { key: 'a', value: null, revision: from + 3 },
    ]);
  });

  test('tells what is below its prefix only', async () => {
    const { store } = harness();
    const from = (await store.read('')).revision;
    const watching = collect(store, 'a/', from, 2);
    await put(store, { 'a/1': 1, 'b/1': 1 });
    await put(store, { 'b/2': 1 });
    await put(store, { 'a/2': 1 });
    expect((await watching).map(({ key }) => key)).toEqual(['a/1', 'a/2']);
  });

  test('tells several watchers the same, each from its own revision', async () => {
    const { store } = harness();
    const from = (await store.read('')).revision;
    await put(store, { a: 1 });
    const all = collect(store, '', from, 2);
    const rest = collect(store, '', from + 1, 1);
    await put(store, { b: 2 });
    expect((await all).map(({ key }) => key)).toEqual(['a', 'b']);
    expect((await rest).map(({ key }) => key)).toEqual(['b']);
  });

  test('says resync where changes are no longer known, and goes on from there', async () => {
    const { store, changesKept } = harness();
    const from = (await store.read('')).revision;
    for (let left = changesKept + 1; left > 0; left -= 250) {
      await Promise.all(Array.from({ length: Math.min(250, left) }, () => put(store, { a: 1 })));
    }
    const stop = new AbortController();
    const events = store.watch('', from, stop.signal)[Symbol.asyncIterator]();
    expect((await events.next()).value).toEqual({ kind: 'resync' });
    const next = events.next();
    const revision = await revisionOf(put(store, { a: 2 }));
    expect((await next).value).toEqual({ kind: 'changes', changes: [{ key: 'a', value: 2, revision }] });
    stop.abort();
    expect((await events.next()).done).toBe(true);
  });

  test('says resync when asked from a revision that has never been', async () => {
    const { store } = harness();
    const { revision } = await store.read('');
    expect(await firstEvent(store, revision + 100)).toEqual({ kind: 'resync' });
  });

  test('ends when the signal aborts, while it waits and before it began', async () => {
    const { store } = harness();
    const { revision } = await store.read('');
    const stop = new AbortController();
    const events = store.watch('', revision, stop.signal)[Symbol.asyncIterator]();
    const waiting = events.next();
    stop.abort();
    expect((await waiting).done).toBe(true);
    expect((await store.watch('', revision, AbortSignal.abort())[Symbol.asyncIterator]().next()).done).toBe(true);
  });

  test('ends when the store closes', async () => {
    const { store } = harness();
    const { revision } = await store.read('');
    const waiting = store.watch('', revision, new AbortController().signal)[Symbol.asyncIterator]().next();
    await store.close();
    expect((await waiting).done).toBe(true);
  });
}

function leaseTests(harness: () => StoreHarness): void {
  const underLease = async (store: StateStore, ttlMs = LEASE_MS) => {
    const lease = await store.lease(ttlMs);
    const committed = await revisionOf(store.commit({ expect: [], write: [{ key: 'h/1', value: 1, lease: lease.id }] }));
    return { lease, revision: committed };
  };

  test('takes its keys along when it is not kept, in one revision that watchers see', async () => {
    const { store, advance } = harness();
    const { revision } = await underLease(store, 300);
    await put(store, { other: 1 });
    const watching = collect(store, 'h/', revision, 1);
    await advance(301);
    expect(await watching).toEqual([{ key: 'h/1', value: null, revision: revision + 2 }]);
    const view = await store.read('');
    expect(plain(view)).toEqual({ other: 1 });
    expect(view.revision).toBe(revision + 2);
  });

  test('is over for a reader as soon as its time is, even if nobody watches', async () => {
    const { store, advance } = harness();
    const { lease, revision } = await underLease(store, 200);
    const known = await store.read('h/');
    await advance(201);
    const view = await store.read('h/', known);
    expect(plain(view)).toEqual({});
    expect(view.revision).toBe(revision + 1);
    expect(await lease.keep()).toBe(false);
  });

  test('lives on while it is kept', async () => {
    const { store, advance } = harness();
    const { lease } = await underLease(store);
    for (let kept = 0; kept < 3; kept += 1) {
      await advance(LEASE_MS * 0.4);
      expect(await lease.keep()).toBe(true);
    }
    expect(plain(await store.read('h/'))).toEqual({ 'h/1': 1 });
  });

  test('ends at once when released, and releasing it again is nothing', async () => {
    const { store } = harness();
    const { lease, revision } = await underLease(store);
    await lease.release();
    const view = await store.read('h/');
    expect(plain(view)).toEqual({});
    expect(view.revision).toBe(revision + 1);
    expect(await lease.keep()).toBe(false);
    await lease.release();
    expect((await store.read('')).revision).toBe(revision + 1);
  });

  test('that is over takes no more keys: a commit under it is a conflict', async () => {
    const { store } = harness();
    const { lease } = await underLease(store);
    await lease.release();
    const write = [
      { key: 'x', value: 1 },
      { key: 'h/2', value: 1, lease: lease.id },
    ];
    expect(await store.commit({ expect: [], write })).toEqual({ kind: 'conflict', key: 'h/2' });
    expect(plain(await store.read(''))).toEqual({});
  });

  test('lets go of a key that is written again without it or under another one', async () => {
    const { store } = harness();
    const { lease } = await underLease(store);
    const other = await store.lease(LEASE_MS * 10);
    await store.commit({ expect: [], write: [{ key: 'h/2', value: 1, lease: lease.id }] });
    await store.commit({
      expect: [],
      write: [
        { key: 'h/1', value: 2 },
        { key: 'h/2', value: 2, lease: other.id },
      ],
    });
    await lease.release();
    expect(plain(await store.read('h/'))).toEqual({ 'h/1': 2, 'h/2': 2 });
  });
}

function logTests(store: () => StateStore): void {
  const entry = (message: string): Omit<LogEntry, 'seq'> => ({ atMs: 1_000, level: 'info', event: 'TEST', message });

  test('numbers its entries from 1 and returns those after a number, oldest first', async () => {
    await store().append('log/a', [entry('one'), entry('two')]);
    await store().append('log/a', [entry('three')]);
    await store().append('log/b', [entry('other')]);
    expect(await store().tail('log/a', 0, 10)).toEqual([
      { seq: 1, ...entry('one') },
      { seq: 2, ...entry('two') },
      { seq: 3, ...entry('three') },
    ]);
    expect((await store().tail('log/a', 2, 10)).map(({ seq }) => seq)).toEqual([3]);
    expect(await store().tail('log/a', 3, 10)).toEqual([]);
    expect(await store().tail('log/none', 0, 10)).toEqual([]);
  });

  test('returns the newest when there are more than asked for', async () => {
    await store().append(
      'log',
      Array.from({ length: 5 }, (_, index) => entry(String(index + 1))),
    );
    expect((await store().tail('log', 0, 2)).map(({ seq }) => seq)).toEqual([4, 5]);
    expect(await store().tail('log', 0, 0)).toEqual([]);
  });

  test.each([
    ['log', 1_000],
    // It is one for all endpoints.
    [LOGS.decisions, 10_000],
  ])('of %s keeps the newest %d and never uses a number again', async (log, most) => {
    const half = Array.from({ length: 0.7 * most }, (_, index) => entry(String(index)));
    await store().append(log, half);
    await store().append(log, half);
    await store().append(log, []);
    const kept = await store().tail(log, 0, 5 * most);
    expect(kept.map(({ seq }) => seq)).toEqual(Array.from({ length: most }, (_, index) => 0.4 * most + 1 + index));
  });

  test('does not move the revision', async () => {
    const { revision } = await store().read('');
    await store().append('log', [entry('one')]);
    await store().publish({ topic: 1 }, 1_000);
    expect((await store().read('')).revision).toBe(revision);
  });
}

function publicationTests(harness: () => StoreHarness): void {
  test('shows the newest value of every topic below the prefix', async () => {
    const { store } = harness();
    await store.publish({ 't/a': 1, 't/b': { deep: [true] }, u: 3 }, 60_000);
    await store.publish({ 't/a': 2 }, 60_000);
    expect(Object.fromEntries(await store.latest('t/'))).toEqual({ 't/a': 2, 't/b': { deep: [true] } });
    expect((await store.latest('')).size).toBe(3);
  });

  test('expires, each topic by its last publication', async () => {
    const { store, advance } = harness();
    await store.publish({ short: 1, again: 1 }, 200);
    await store.publish({ again: 2, long: 1 }, 60_000);
    await advance(201);
    expect(Object.fromEntries(await store.latest(''))).toEqual({ again: 2, long: 1 });
  });
}

function limitTests(store: () => StateStore): void {
  const refusesAndChangesNothing = async (commit: Commit) => {
    const { revision } = await store().read('');
    await expect(store().commit(commit)).rejects.toMatchObject({ code: 'state_limit' });
    expect((await store().read('')).revision).toBe(revision);
  };

  test.each([
    ['an empty key', ''],
    ['a key with a space', 'a b'],
    ['a key with a line break', 'a\nb'],
    ['a key with other letters', 'ä'],
    ['a key of 513 bytes', 'k'.repeat(513)],
  ])('refuses %s', (_, key) => refusesAndChangesNothing(change({ fine: 1, [key]: 1 })));

  test('takes a key of 512 bytes with every character allowed', async () => {
    const key = 'Az09._:/-'.padEnd(512, 'k');
    await put(store(), { [key]: 1 });
    expect(plain(await store().read(key))).toEqual({ [key]: 1 });
  });

  test('takes a value of 1 MiB and refuses one byte more', async () => {
    await put(store(), { a: 'x'.repeat(MIB - 2) });
    expect((await store().read('a')).entries.get('a')?.value).toHaveLength(MIB - 2);
    await refusesAndChangesNothing(change({ a: 'x'.repeat(MIB - 1) }));
    await refusesAndChangesNothing(change({ a: 'ü'.repeat(MIB / 2) }));
  });

  test('takes a commit of 10,000 writes and refuses one more', async () => {
    const values = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`k${index}`, index]));
    await put(store(), values);
    expect((await store().read('')).entries.size).toBe(10_000);
    await refusesAndChangesNothing(change({ ...values, more: 1 }));
  });

  test('takes a commit just below 16 MiB and refuses a larger one', async () => {
    const values = Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`k${index}`, 'x'.repeat(MIB - 2)]));
    await put(store(), values);
    expect((await store().read('')).entries.size).toBe(15);
    const more = { ...values, a: 'x'.repeat(MIB - 2), b: 'x'.repeat(MIB - 2) };
    await refusesAndChangesNothing(change(more));
  });
}

function identityTests(harness: () => StoreHarness): void {
  test('keeps values, revision, logs and its id over a restart, and hands out later revisions only', async () => {
    const { store, reopen } = harness();
    if (reopen === undefined) return;
    await put(store, { a: 1, gone: 1 });
    await put(store, { gone: null, b: { c: 'ü' } });
    await store.append('log', [{ atMs: 1, level: 'error', event: 'E', message: 'm' }]);
    const before = await store.read('');
    const again = await reopen();
    const after = await again.read('');
    expect(sameView(after)).toEqual(sameView(before));
    expect(await again.tail('log', 0, 10)).toHaveLength(1);
    expect(await revisionOf(put(again, { a: 2 }))).toBe(before.revision + 1);
    await again.append('log', [{ atMs: 2, level: 'info', event: 'E', message: 'm' }]);
    expect((await again.tail('log', 0, 10)).map(({ seq }) => seq)).toEqual([1, 2]);
  });

  test('says resync or tells the changes to a watcher from before a restart, but never skips one', async () => {
    const { store, reopen } = harness();
    if (reopen === undefined) return;
    const from = await revisionOf(put(store, { a: 1 }));
    const revision = await revisionOf(put(store, { a: 2 }));
    const event = await firstEvent(await reopen(), from);
    expect([{ kind: 'resync' }, { kind: 'changes', changes: [{ key: 'a', value: 2, revision }] }]).toContainEqual(event);
  });

  test('refuses to open a state whose revision went back, naming what was expected', async () => {
    const { store, openKnowing } = harness();
    if (openKnowing === undefined) return;
    await put(store, { a: 1 });
    const { clusterId, revision } = await store.read('');
    const refusal = openKnowing({ clusterId, revision: revision + 5 });
    await expect(refusal).rejects.toMatchObject({
      code: 'state_foreign',
      message: expect.stringContaining(
        `went back to revision ${revision}, expected cluster ${clusterId} at revision ${revision + 5}`,
      ),
    });
  });

  test('refuses to open the state of another cluster', async () => {
    const { openKnowing } = harness();
    if (openKnowing === undefined) return;
    const refusal = openKnowing({ clusterId: 'another-cluster', revision: 0 });
    await expect(refusal).rejects.toMatchObject({ code: 'state_foreign', details: { knownClusterId: 'another-cluster' } });
  });

  test('opens a state that is the known one or a later one', async () => {
    const { store, openKnowing } = harness();
    if (openKnowing === undefined) return;
    const known = await store.read('');
    await put(store, { a: 1 });
    const opened = await openKnowing(known);
    expect(plain(await opened.read(''))).toEqual({ a: 1 });
  });

  test('fails every call with state_foreign and changes nothing once the contents are another cluster’s', async () => {
    const { store, replaceContents } = harness();
    if (replaceContents === undefined) return;
    await put(store, { a: 1 });
    const lease = await store.lease(60_000);
    const { revision } = await store.read('');
    const stop = new AbortController();
    const event = store.watch('', revision, stop.signal)[Symbol.asyncIterator]().next();
    await replaceContents();
    const calls = [
      () => store.read(''),
      () => put(store, { a: 2 }),
      () => store.lease(1_000),
      () => lease.keep(),
      () => store.append('log', [{ atMs: 1, level: 'info', event: 'E', message: 'm' }]),
      () => store.publish({ t: 1 }, 1_000),
    ];
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'state_foreign' });
    expect((await event).value).toEqual({ kind: 'resync' });
    stop.abort();
  });
}

function change(values: Readonly<Record<string, Json>>, expect: Readonly<Record<string, number>> = {}): Commit {
  return {
    expect: Object.entries(expect).map(([key, revision]) => ({ key, revision })),
    write: Object.entries(values).map(([key, value]) => ({ key, value })),
  };
}

function put(store: StateStore, values: Readonly<Record<string, Json>>) {
  return store.commit(change(values));
}

async function revisionOf(result: ReturnType<StateStore['commit']>): Promise<number> {
  const answer = await result;
  if (answer.kind === 'conflict') throw new Error(`conflict at ${answer.key}`);
  return answer.revision;
}

function plain(view: StateView): Readonly<Record<string, Json>> {
  return Object.fromEntries([...view.entries].map(([key, { value }]) => [key, value]));
}

function sameView(view: StateView) {
  return { ...view, entries: Object.fromEntries(view.entries) };
}

/** The first changes a watch tells; fails on a resync or when they do not come. */
async function collect(store: StateStore, prefix: string, from: number, count: number): Promise<readonly StateChange[]> {
  const found: StateChange[] = [];
  const signal = AbortSignal.timeout(PATIENCE_MS);
  for await (const event of store.watch(prefix, from, signal)) {
    if (event.kind === 'resync') throw new Error('the watch says resync');
    found.push(...event.changes);
    if (found.length >= count) return found;
  }
  throw new Error(`the watch told ${found.length} changes instead of ${count}`);
}

async function firstEvent(store: StateStore, from: number): Promise<WatchEvent> {
  for await (const event of store.watch('', from, AbortSignal.timeout(PATIENCE_MS))) return event;
  throw new Error('the watch told nothing');
}
