import { randomUUID } from 'node:crypto';
import {
  type Commit,
  type CommitResult,
  type Json,
  type Lease,
  type LogEntry,
  ReactorError,
  type StateChange,
  type StateStore,
  type StateView,
  type WatchEvent,
} from '@reactor/core';
import { Bell, unlessAborted } from './bell.js';
import { IdentityGuard, type StateIdentity } from './identity.js';
import { checkPrefix, checkTtl, LIMITS, prepareAppend, prepareCommit, preparePublication } from './limits.js';
import { decodeChanges, decodeEntries, pairs, texts } from './redis-answers.js';
import { type RedisKeys, redisKeys } from './redis-keys.js';
import { BLOCK_MS, RedisLink } from './redis-link.js';
import type { Verb } from './redis-scripts.js';
import { parseRedisUrl } from './redis-url.js';
import { laterView } from './view.js';

const FORMAT = 'reactor-state-1';
/** Longer than any call is sent again (5 s), with room for a slow failover. */
const OPERATION_KEPT_MS = 60_000;
/** Watchers look at least that often: leases end when nobody else calls, and a dead watch connection costs a second at most. */
const LOOK_MS = BLOCK_MS;
/** After the end of a lease, so that a look finds it over. */
const LOOK_AFTER_MS = 2;
const DEFAULT_PREFIX = 'default';

export interface RedisStateOptions {
  /** `redis://`, `rediss://` or `redis+sentinel://`, see `parseRedisUrl`. */
  readonly url: string;
  /** Keeps clusters that share a Redis apart. */
  readonly prefix?: string;
  /** What the daemon last knew of its state; contents that are not it are refused with `state_foreign`. */
  readonly known?: StateIdentity;
  /** Told once per problem, also when no call is under way. */
  readonly onProblem?: (error: ReactorError) => void;
}

/** Connects to the state in Redis >= 5. Throws `config_invalid` (the URL), `state_unavailable` or `state_foreign`. */
export async function openRedis(options: RedisStateOptions): Promise<StateStore> {
  const prefix = options.prefix ?? DEFAULT_PREFIX;
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(prefix)) {
    throw new ReactorError('config_invalid', `the prefix ${JSON.stringify(prefix)} is not 1 to 64 letters, digits and . _ -`);
  }
  const link = new RedisLink(parseRedisUrl(options.url), options.onProblem ?? (() => undefined));
  try {
    await link.greet();
    const keys = redisKeys(prefix);
    const known = options.known ?? { clusterId: '', revision: 0 };
    const guard = new IdentityGuard(link.where, known);
    const args = [known.clusterId, String(known.revision), FORMAT, randomUUID()];
    const [kind, clusterId, revision, format] = texts(await link.run('open', [...keys.all, `${keys.wake}-probe`], args));
    const found = { clusterId: clusterId ?? '', revision: Number(revision) };
    if (kind === 'foreign') {
      if (known.clusterId !== '') throw guard.foreign(found);
      throw new ReactorError('state_foreign', `the cluster state at ${link.where} has lost its identity; was a key evicted?`);
    }
    if (format !== FORMAT) {
      throw new ReactorError('state_foreign', `the cluster state at ${link.where} has the format ${format}, expected ${FORMAT}`);
    }
    return new RedisStore(link, keys, new IdentityGuard(link.where, found));
  } catch (error) {
    await link.close();
    throw error;
  }
}

/**
 * The state in Redis. Every verb is one script, so each is atomic there; what changes is told by a stream with one entry per
 * revision, so a gap shows. Every script names the state it means and changes nothing in another one.
 */
class RedisStore implements StateStore {
  readonly #moved = new Bell();
  /** Views this store made, by the connection: only of those it is sure what has changed since. */
  readonly #views = new WeakMap<StateView, number>();
  readonly #closing = new AbortController();
  #feeding = false;

  constructor(
    private readonly link: RedisLink,
    private readonly keys: RedisKeys,
    private readonly guard: IdentityGuard,
  ) {}

  async read(prefix: string, known?: StateView): Promise<StateView> {
    checkPrefix(prefix);
    const { epoch } = this.link;
    const base = known !== undefined && this.#views.get(known) === epoch ? known : null;
    const view = await this.#view(prefix, base);
    // Answered over another connection than it was asked on: the changes may be of another history than the known view's.
    if (base !== null && this.link.epoch !== epoch) return this.read(prefix);
    this.guard.advance(view.revision);
    this.#views.set(view, epoch);
    return view;
  }

  async commit(change: Commit): Promise<CommitResult> {
    const { expect, write } = prepareCommit(change);
    const args = [String(OPERATION_KEPT_MS), String(expect.length)];
    for (const { key, revision } of expect) args.push(key, String(revision));
    args.push(String(write.length));
    for (const { key, lease, text } of write) args.push(key, lease ?? '', text ?? '');
    const [kind, result = ''] = await this.#run('commit', [this.keys.operation(randomUUID())], args);
    if (kind === 'conflict') return { kind, key: result };
    this.guard.advance(Number(result));
    return { kind: 'committed', revision: Number(result) };
  }

  async *watch(prefix: string, from: number, signal: AbortSignal): AsyncIterable<WatchEvent> {
    checkPrefix(prefix);
    this.#startFeed();
    const ending = AbortSignal.any([signal, this.#closing.signal]);
    let at = from;
    let { epoch } = this.link;
    let isForeign = false;
    while (!ending.aborted) {
      const seen = this.#moved.rings;
      const look = await unlessAborted(this.#changes(prefix, at), ending);
      if (look === null) return;
      if (look.kind === 'unavailable') {
        await this.#moved.wait(seen, ending, LOOK_MS);
        continue;
      }
      const changes = look.kind === 'foreign' ? null : look.changes;
      // Another connection may lead to a master that lost what the former one had told.
      const mayMiss = changes === null || look.epoch !== epoch || isForeign;
      const isTold = look.kind === 'foreign' && isForeign;
      isForeign = look.kind === 'foreign';
      epoch = look.epoch;
      at = look.revision;
      if (mayMiss && !isTold) yield { kind: 'resync' };
      else if (!mayMiss && changes.length > 0) yield { kind: 'changes', changes };
      await this.#moved.wait(seen, ending, look.againMs);
    }
  }

  async lease(ttlMs: number): Promise<Lease> {
    checkTtl(ttlMs);
    const id = randomUUID();
    const args = [id, String(ttlMs)];
    await this.#run('lease', [], args);
    return {
      id,
      keep: async () => (await this.#run('keep', [], args))[0] === 'kept',
      release: async () => {
        await this.#run('release', [], [id]);
      },
    };
  }

  async append(log: string, entries: readonly Omit<LogEntry, 'seq'>[]): Promise<void> {
    const encoded = prepareAppend(log, entries);
    if (encoded.length === 0) return;
    const keys = [this.keys.log(log), this.keys.operation(randomUUID())];
    await this.#run('append', keys, [String(OPERATION_KEPT_MS), String(LIMITS.logEntries), ...encoded]);
  }

  async tail(log: string, since: number, limit: number): Promise<readonly LogEntry[]> {
    checkPrefix(log);
    if (limit <= 0) return [];
    const atMost = Math.min(limit, LIMITS.logEntries);
    const [, ...found] = await this.#run('tail', [this.keys.log(log)], [String(since), String(atMost)]);
    return pairs(found)
      .map(([seq, text]) => ({ seq: Number(seq), ...(JSON.parse(text) as Omit<LogEntry, 'seq'>) }))
      .reverse();
  }

  async publish(values: Readonly<Record<string, Json>>, ttlMs: number): Promise<void> {
    checkTtl(ttlMs);
    const publication = preparePublication(values);
    if (publication.length === 0) return;
    const args = [String(ttlMs), ...publication.flatMap(({ key, text }) => [key, text])];
    await this.#run('publish', [this.keys.topics, this.keys.topicEnds], args);
  }

  async latest(prefix: string): Promise<ReadonlyMap<string, Json>> {
    checkPrefix(prefix);
    const [, ...found] = await this.#run('latest', [this.keys.topics, this.keys.topicEnds], [prefix]);
    return new Map(pairs(found).map(([topic, text]) => [topic, JSON.parse(text) as Json]));
  }

  /** Replicas are not asked: what the server answered counts. */
  async settled(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.link.close();
  }

  async #view(prefix: string, base: StateView | null): Promise<StateView> {
    const [kind, revision, ...found] = await this.#run('read', [], [prefix, String(base?.revision ?? -1), '']);
    if (base !== null && kind === 'same') return base;
    if (base !== null && kind === 'changes') return laterView(base, Number(revision), decodeChanges(found[0] ?? ''));
    const { clusterId } = this.guard.known;
    if (kind !== 'large') return { clusterId, revision: Number(revision), entries: decodeEntries(found, prefix, base) };
    const reply = await this.link.runWithAll('read', ...this.#call([], [prefix, '-1', 'moment']), this.keys.values);
    const [, moment] = this.#known(reply.answer);
    return { clusterId, revision: Number(moment), entries: decodeEntries(texts(reply.all), prefix, base) };
  }

  /** Runs a verb on the known state; throws `state_foreign` if it is not that one. */
  async #run(verb: Verb, keys: readonly string[], args: readonly string[]): Promise<readonly string[]> {
    return this.#known(await this.link.run(verb, ...this.#call(keys, args)));
  }

  #call(keys: readonly string[], args: readonly string[]): [keys: readonly string[], args: readonly string[]] {
    const { clusterId, revision } = this.guard.known;
    return [
      [...this.keys.all, ...keys],
      [clusterId, String(revision), ...args],
    ];
  }

  #known(answer: unknown): readonly string[] {
    const reply = texts(answer);
    if (reply[0] === 'foreign') throw this.guard.foreign({ clusterId: reply[1] ?? '', revision: Number(reply[2]) });
    return reply;
  }

  async #changes(prefix: string, from: number): Promise<Look> {
    try {
      const [kind, revisionText, waitText, text = ''] = await this.#run('changes', [], [prefix, String(from)]);
      const revision = Number(revisionText);
      const waitMs = Number(waitText);
      this.guard.advance(revision);
      return {
        kind: 'changes',
        epoch: this.link.epoch,
        revision,
        changes: kind === 'gap' ? null : decodeChanges(text),
        againMs: waitMs < 0 ? LOOK_MS : Math.min(LOOK_MS, waitMs + LOOK_AFTER_MS),
      };
    } catch (error) {
      if (!(error instanceof ReactorError)) throw error;
      return error.code === 'state_foreign'
        ? { kind: 'foreign', epoch: this.link.epoch, revision: from, againMs: LOOK_MS }
        : { kind: 'unavailable' };
    }
  }

  /** One blocking connection wakes all watchers; each then asks for what it wants. */
  #startFeed(): void {
    if (this.#feeding) return;
    this.#feeding = true;
    void this.#feed();
  }

  async #feed(): Promise<void> {
    const { signal } = this.#closing;
    const never = new Bell();
    let at = `${this.guard.known.revision}-0`;
    while (!signal.aborted) {
      try {
        const id = await this.link.waitFor(this.keys.wake, at);
        if (id !== null) this.#moved.ring();
        at = id ?? at;
      } catch {
        // The watchers look by themselves meanwhile, and their calls report what is wrong.
        await never.wait(0, signal, LOOK_MS);
      }
    }
  }
}

interface ChangesLook {
  readonly kind: 'changes';
  /** Connection that answered. */
  readonly epoch: number;
  readonly revision: number;
  /** Null: some are no longer known. */
  readonly changes: readonly StateChange[] | null;
  readonly againMs: number;
}

interface ForeignLook {
  readonly kind: 'foreign';
  readonly epoch: number;
  readonly revision: number;
  readonly againMs: number;
}

type Look = ChangesLook | ForeignLook | { readonly kind: 'unavailable' };
