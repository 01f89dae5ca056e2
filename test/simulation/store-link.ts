import { type Commit, type Lease, ReactorError, type StateStore, TOPICS, type WatchEvent } from '@reactor/core';
import { IdentityGuard } from '../../packages/state/src/identity.js';
import type { Process } from './machine.js';
import type { Oracles, Reader } from './oracles.js';
import type { World } from './world.js';

/**
 * One daemon's connection to the store that all share. Requests and answers take time, are lost, and meet a store that is
 * down or holds something else; a call without an answer fails after a while and nobody knows whether it happened.
 */

/** As long as a client of Redis waits in the end. */
const PATIENCE_MS = 5_000;
const REFUSED_MS = 20;
/** As long as the controller's. */
const LEASE_MS = 15_000;
/** On a fast network an answer comes in the same step as the request. */
const AT_ONCE_MS = 10;

export function openStoreLink(world: World, process: Process, oracles: Oracles): StateStore {
  const { store, weather, chance, scheduler } = world;
  const { machine } = process;
  const reader: Reader = { process, view: null, traffic: null };

  const delay = (): number => chance.whole(1, weather.delayMs) * machine.slowness;
  const lost = (): boolean => weather.lossRate > 0 && chance.happens(weather.lossRate);

  /** Every script names the state it means and changes nothing in another one. */
  const guarded = async <T>(apply: () => Promise<T>): Promise<T> => {
    process.guard ??= new IdentityGuard('the simulated store', { clusterId: store.clusterId, revision: store.revision });
    const { guard } = process;
    try {
      guard.observe(store);
    } catch (error) {
      world.cover('a foreign store is noticed');
      throw error;
    }
    guard.advance(store.revision);
    return apply();
  };

  const call = <T>(kind: string, apply: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const fail = (afterMs: number): void => {
        world.cover('a call to the store fails');
        process.after(afterMs, 'store silent', () => reject(new ReactorError('state_unavailable', 'the store does not answer')));
      };
      const answered = (settle: () => void): void => {
        if (!machine.storeAnswers || lost()) {
          world.cover('an answer of the store is lost');
          fail(PATIENCE_MS);
        } else if (weather.delayMs > AT_ONCE_MS) process.after(delay(), 'answer', settle);
        else process.now('answer', settle);
      };
      if (!machine.storeRequests || lost()) return fail(PATIENCE_MS);
      scheduler.after(delay(), kind, () => {
        if (weather.storeDown || !machine.powered) return fail(REFUSED_MS);
        guarded(apply).then(
          (value) => answered(() => resolve(value)),
          (error) => answered(() => reject(error)),
        );
      });
    });

  const stall = (): Promise<void> => {
    const forMs = chance.whole(LEASE_MS, 2 * LEASE_MS);
    world.write(process.name, `stands still for ${forMs} ms with what it has read`);
    world.cover('a daemon stands still between reading and acting');
    machine.pausedUntilMs = world.nowMs + forMs;
    return new Promise((resolve) => process.now('stalled', resolve));
  };

  const lease = (held: Lease): Lease => ({
    id: held.id,
    keep: () => call('keep', () => held.keep()),
    release: () => call('release', () => held.release()),
  });

  async function* watch(prefix: string, from: number, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    const ending = process.ended;
    const end = (): void => inner.abort();
    const inner = new AbortController();
    signal.addEventListener('abort', end, { once: true });
    ending.signal.addEventListener('abort', end, { once: true });
    for await (const event of store.watch(prefix, from, inner.signal)) {
      const cut = weather.storeDown || !machine.storeAnswers || !machine.storeRequests;
      // A connection that was cut tells nothing until it is made anew, and cannot know then what it missed.
      await new Promise<void>((resolve) => process.after(cut ? PATIENCE_MS : delay(), 'change', resolve));
      if (signal.aborted) return;
      yield cut || store.clusterId !== process.guard?.known.clusterId ? { kind: 'resync' } : event;
    }
  }

  const commit = async (change: Commit) => {
    const before = store.view('');
    const result = await store.commit(change);
    oracles.committed(reader, change, result, before);
    return result;
  };

  return {
    async read(prefix, seen) {
      const view = await call('read', () => store.read(prefix, seen));
      if (prefix !== '') return view;
      reader.view = view;
      if (weather.stallRate > 0 && chance.happens(weather.stallRate)) await stall();
      return view;
    },
    commit: (change) => call('commit', () => commit(change)),
    watch,
    lease: async (ttlMs) => lease(await call('lease', () => store.lease(ttlMs))),
    append: (log, entries) => call('append', () => store.append(log, entries)),
    tail: (log, since, limit) => call('tail', () => store.tail(log, since, limit)),
    publish: (values, ttlMs) =>
      call('publish', () => {
        oracles.published(reader, values);
        return store.publish(values, ttlMs);
      }),
    async latest(prefix) {
      const values = await call('latest', () => store.latest(prefix));
      if (prefix === TOPICS.traffic) reader.traffic = values;
      return values;
    },
    settled: (timeoutMs) =>
      call('settled', async () => {
        if (!chance.happens(weather.laggingRate)) return true;
        world.cover('the replicas of the store lag');
        await new Promise<void>((resolve) => process.after(timeoutMs, 'replicas', resolve));
        return false;
      }),
    close: async () => undefined,
  };
}
