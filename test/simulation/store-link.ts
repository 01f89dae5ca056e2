import {
  type Commit,
  KEYS,
  type Lease,
  ReactorError,
  type StateStore,
  type StateView,
  TOPICS,
  type WatchEvent,
} from '@reactor/core';
import { IdentityGuard, type StateIdentity } from '../../packages/state/src/identity.js';
import type { Process } from './machine.js';
import type { Oracles } from './oracles.js';
import type { Reader } from './reader.js';
import { recover } from './recovery.js';
import type { World } from './world.js';

/**
 * One daemon's connection to the store that all share. Requests and answers take time, are lost, and meet a store that is
 * down or holds something else; a call without an answer fails after a while and nobody knows whether it happened.
 */

/** As long as a client of Redis waits in the end. */
const PATIENCE_MS = 5_000;
const REFUSED_MS = 20;
/** So late a request that a network held back may still arrive. */
const SLOWEST_REQUEST_MS = 25_000;
/** As long as the controller's. */
const LEASE_MS = 15_000;
/** On a fast network an answer comes in the same step as the request. */
const AT_ONCE_MS = 10;

export function openStoreLink(world: World, process: Process, oracles: Oracles, role: Reader['role']): StateStore {
  const { store, history, weather, chance, scheduler } = world;
  const { machine } = process;
  const reader: Reader = { process, role, view: null, hosts: null, traffic: null, renewedMs: null };
  /** What was read before the known state was given up for another one says nothing about that. */
  const generations = new WeakMap<StateView, number>();

  const delay = (): number => chance.whole(1, weather.delayMs) * machine.slowness;
  const lost = (): boolean => weather.lossRate > 0 && chance.happens(weather.lossRate);

  const guardOf = (): IdentityGuard => {
    process.guard ??= new IdentityGuard('the simulated store', machine.known ?? history.now());
    return process.guard;
  };
  /** Every script names the state it means and changes nothing in another one. */
  const guarded = async <T>(known: StateIdentity, apply: () => Promise<T>): Promise<T> => {
    const guard = guardOf();
    const kind = history.kindFor(known);
    if (kind !== null) {
      world.cover('a foreign store is noticed');
      if (kind !== 'other') recover(world, process, oracles.storeFellBack);
      throw guard.foreign(kind, history.now());
    }
    const result = await apply();
    const now = history.now();
    // Of a state that was given up meanwhile nothing is to be learnt.
    if (history.kindFor(guard.known) === null) {
      guard.advance(now.revision, now.mark);
      machine.known = guard.known;
    }
    return result;
  };

  const call = <T>(kind: string, apply: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const { known } = guardOf();
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
      if (weather.straggleRate > 0 && kind === 'commit' && chance.happens(weather.straggleRate)) {
        world.cover('a request arrives after its caller gave it up');
        scheduler.after(chance.whole(PATIENCE_MS, SLOWEST_REQUEST_MS), kind, () => {
          if (!weather.storeDown) guarded(known, apply).catch(() => undefined);
        });
        return fail(PATIENCE_MS);
      }
      scheduler.after(delay(), kind, () => {
        if (weather.storeDown || !machine.powered) return fail(REFUSED_MS);
        guarded(known, apply).then(
          (value) => answered(() => resolve(value)),
          (error) => answered(() => reject(error)),
        );
      });
    });

  const stall = (): Promise<void> => {
    const forMs = chance.whole(LEASE_MS, 2 * LEASE_MS);
    world.write(process.name, `stands still for ${forMs} ms with what it has read`);
    world.cover('a daemon stands still between reading and acting');
    machine.standStill(forMs);
    return new Promise((resolve) => process.now('stalled', resolve));
  };

  const lease = (held: Lease): Lease => ({
    id: held.id,
    async keep() {
      const askedMs = world.nowMs;
      const kept = await call('keep', () => held.keep());
      if (kept) reader.renewedMs = askedMs;
      return kept;
    },
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

  const commit = async (change: Commit, asking: Reader) => {
    const before = store.view('');
    if (change.write.some(({ key }) => key === KEYS.epoch)) history.remember();
    const result = await store.commit(change);
    oracles.committed(asking, change, result, before);
    return result;
  };

  return {
    async read(prefix, seen) {
      const { generation } = guardOf();
      const known = seen !== undefined && generations.get(seen) === generation ? seen : undefined;
      const view = await call('read', async () => {
        oracles.looked();
        return store.read(prefix, known);
      });
      // Asked of one state and answered by another.
      if (guardOf().generation !== generation) return this.read(prefix);
      generations.set(view, generation);
      if (prefix === KEYS.hosts) reader.hosts = view;
      if (prefix !== '') return view;
      reader.view = view;
      oracles.saw(reader, view);
      if (weather.stallRate > 0 && chance.happens(weather.stallRate)) await stall();
      return view;
    },
    commit(change) {
      oracles.asked(reader, change);
      // A late one is to be judged by what was known when it was asked for.
      const asking = { ...reader };
      return call('commit', () => commit(change, asking));
    },
    watch,
    async lease(ttlMs) {
      const askedMs = world.nowMs;
      const held = await call('lease', () => store.lease(ttlMs));
      reader.renewedMs = askedMs;
      return lease(held);
    },
    append: (log, entries) => call('append', () => store.append(log, entries)),
    tail: (log, since, limit) => call('tail', () => store.tail(log, since, limit)),
    publish: (values, ttlMs) =>
      call('publish', async () => {
        if (machine.mutedUntilMs > world.nowMs && role === 'agent') return;
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
