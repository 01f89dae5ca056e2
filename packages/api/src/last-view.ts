import { type Json, ReactorError, type StateStore, type StateView, TOPICS } from '@reactor/core';
import { type ApiContext, type Moment, momentOf } from './context.js';
import type { StoredSettings } from './settings.js';

/**
 * Reads while the cluster state is away: they are answered from the last view this daemon had, and say since when it is
 * old. Writes are refused as ever, for nobody knows what they would meet.
 */

export interface LastView {
  /** Of the whole state. */
  readonly view: StateView;
  /** What the load balancers said last, by topic. */
  readonly traffic: ReadonlyMap<string, Json>;
  /** When the store last said that this was how things are. */
  readonly atMs: number;
  /** The newest read failed, or one is not answered in a time in which it would have been. */
  readonly away: boolean;
}

/** A healthy store answers within milliseconds, the largest read within a few hundred; a call to one that is away may take 5 s. */
const ANSWER_MS = 1_000;

/** The same store, and the newest view that anybody in this process read through it. It costs no read of its own. */
export function rememberViews(store: StateStore, now: () => number): { readonly store: StateStore; lastView(): LastView | null } {
  let view: StateView | null = null;
  let atMs = 0;
  let traffic: ReadonlyMap<string, Json> = new Map();
  let away = false;
  const watched = async <T>(answer: Promise<T>): Promise<T> => {
    const overdue = setTimeout(() => {
      away = true;
    }, ANSWER_MS);
    overdue.unref();
    try {
      const value = await answer;
      away = false;
      return value;
    } catch (error) {
      away ||= isAway(error);
      throw error;
    } finally {
      clearTimeout(overdue);
    }
  };
  const read: StateStore['read'] = async (prefix, known) => {
    const found = await watched(store.read(prefix, known));
    if (prefix === '') {
      view = found;
      atMs = now();
    }
    return found;
  };
  const latest: StateStore['latest'] = async (prefix) => {
    const found = await watched(store.latest(prefix));
    if (prefix === TOPICS.traffic) traffic = found;
    return found;
  };
  return { store: over(store, { read, latest }), lastView: () => (view === null ? null : { view, traffic, atMs, away }) };
}

/** What one read works with. */
export interface Reading {
  readonly context: ApiContext;
  readonly settings: () => Promise<StoredSettings>;
  /** Since when what was read is old; null while it is not. */
  staleSinceMs(): number | null;
}

/** While the state is known to be away, a read waits no longer than this to find it back. */
const BACK_WITHIN_MS = 250;

/** After the first read that finds the state away all others of the request take the same view: one answer, one moment. */
export function openReading(
  context: ApiContext,
  settings: () => Promise<StoredSettings>,
  lastView: () => LastView | null,
): Reading {
  let stale: LastView | null = null;
  const orLast = async <T>(ask: () => Promise<T>, last: (view: LastView) => T): Promise<T> => {
    if (stale !== null) return last(stale);
    try {
      const before = lastView();
      return await (before === null ? ask() : soon(ask(), before.away ? BACK_WITHIN_MS : ANSWER_MS));
    } catch (error) {
      const known = isAway(error) ? lastView() : null;
      if (known === null) throw error;
      stale = known;
      return last(known);
    }
  };
  const latest: StateStore['latest'] = (prefix) =>
    orLast(
      () => context.store.latest(prefix),
      (last) => (prefix === TOPICS.traffic ? last.traffic : new Map()),
    );
  const moment = (): Promise<Moment> => orLast(context.moment, ({ view }) => staleMoment(view));
  return {
    context: { ...context, store: over(context.store, { latest }), moment },
    settings: () => orLast(settings, ({ view }) => staleMoment(view).settings),
    staleSinceMs: () => stale?.atMs ?? null,
  };
}

const moments = new WeakMap<StateView, Moment>();

function staleMoment(view: StateView): Moment {
  const moment = moments.get(view) ?? momentOf(view);
  moments.set(view, moment);
  return moment;
}

export const isAway = (error: unknown): boolean =>
  error instanceof ReactorError && (error.code === 'state_unavailable' || error.code === 'state_foreign');

async function soon<T>(answer: Promise<T>, withinMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new ReactorError('state_unavailable', 'the cluster state does not answer')), withinMs);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A store whose other methods are those of `store`. */
function over(store: StateStore, change: Partial<StateStore>): StateStore {
  return {
    read: (prefix, known) => store.read(prefix, known),
    commit: (commit) => store.commit(commit),
    settled: (timeoutMs) => store.settled(timeoutMs),
    watch: (prefix, from, signal) => store.watch(prefix, from, signal),
    lease: (ttlMs) => store.lease(ttlMs),
    append: (log, entries) => store.append(log, entries),
    tail: (log, since, limit) => store.tail(log, since, limit),
    publish: (values, ttlMs) => store.publish(values, ttlMs),
    latest: (prefix) => store.latest(prefix),
    close: () => store.close(),
    ...change,
  };
}
