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
import { followState } from './copy-follower.js';
import { type IdentityGuard, momentText } from './identity.js';
import { checkPrefix, checkTtl, entriesKept, prepareAppend, prepareCommit, preparePublication } from './limits.js';
import { type RecoveryOptions, recover } from './recovery.js';
import { decodeChanges, decodeEntries, decodeValue, foreignAnswer, pairs, texts } from './redis-answers.js';
import { ringAtChanges } from './redis-feed.js';
import type { RedisKeys } from './redis-keys.js';
import { BLOCK_MS, type RedisLink } from './redis-link.js';
import type { Verb } from './redis-scripts.js';
import { Settling } from './settling.js';
import { laterView } from './view.js';

/** Longer than any call is sent again (5 s), with room for a slow failover. */
const OPERATION_KEPT_MS = 60_000;
/** Watchers look at least that often: leases end when nobody else calls, and a dead watch connection costs a second at most. */
const LOOK_MS = BLOCK_MS;
/** After the end of a lease, so that a look finds it over. */
const LOOK_AFTER_MS = 2;
/**
 * The state in Redis. Every verb is one script, so each is atomic there; what changes is told by a stream with one entry per
 * revision, so a gap shows. Every script names the state it means and changes nothing in another one.
 */
export class RedisStore implements StateStore {
  readonly #moved = new Bell();
  /** Views this store made, by the connection: only of those it is sure what has changed since. */
  readonly #views = new WeakMap<StateView, number>();
  readonly #closing = new AbortController();
  readonly #link: RedisLink;
  readonly #keys: RedisKeys;
  readonly #following: Promise<void>;
  readonly #settling: Settling;
  #recovering: Promise<void> | null = null;
  /** Why nothing is asked of the state until it is the known one again. */
  #held: ReactorError | null = null;
  #feeding = false;

  /** @param recovery what this store lives with until it is closed; its signal ends before. */
  constructor(
    private readonly recovery: RecoveryOptions,
    private readonly guard: IdentityGuard,
  ) {
    this.#link = recovery.link;
    this.#keys = recovery.keys;
    // The mark is refused by a master that lost the last commit: what its replicas have would say nothing about that.
    this.#settling = new Settling(this.#link, () => this.#run('settle', [this.#keys.settling], []));
    this.#following = this.#follow();
  }

  async read(prefix: string, known?: StateView): Promise<StateView> {
    checkPrefix(prefix);
    const epoch = this.#epoch;
    const base = known !== undefined && this.#views.get(known) === epoch ? known : null;
    const { view, mark } = await this.#view(prefix, base);
    // Answered over another connection than it was asked on: the changes may be of another history than the known view's.
    if (base !== null && this.#epoch !== epoch) return this.read(prefix);
    this.guard.advance(view.revision, mark);
    this.#views.set(view, epoch);
    return view;
  }

  async commit(change: Commit): Promise<CommitResult> {
    const { expect, write } = prepareCommit(change);
    const args = [String(OPERATION_KEPT_MS), String(expect.length)];
    for (const { key, revision } of expect) args.push(key, String(revision));
    args.push(String(write.length));
    for (const { key, lease, text } of write) args.push(key, lease ?? '', text ?? '');
    const [kind, result = '', mark] = await this.#run('commit', [this.#keys.operation(randomUUID())], args);
    if (kind === 'conflict') return { kind, key: result };
    this.guard.advance(Number(result), mark);
    return { kind: 'committed', revision: Number(result) };
  }

  async *watch(prefix: string, from: number, signal: AbortSignal): AsyncIterable<WatchEvent> {
    checkPrefix(prefix);
    this.#startFeed();
    const ending = AbortSignal.any([signal, this.#closing.signal]);
    let at = from;
    let epoch = this.#epoch;
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
    const keys = [this.#keys.log(log), this.#keys.operation(randomUUID())];
    await this.#run('append', keys, [String(OPERATION_KEPT_MS), String(entriesKept(log)), ...encoded]);
  }

  async tail(log: string, since: number, limit: number): Promise<readonly LogEntry[]> {
    checkPrefix(log);
    if (limit <= 0) return [];
    const atMost = Math.min(limit, entriesKept(log));
    const [, ...found] = await this.#run('tail', [this.#keys.log(log)], [String(since), String(atMost)]);
    return pairs(found)
      .map(([seq, text]) => ({ seq: Number(seq), ...(JSON.parse(text) as Omit<LogEntry, 'seq'>) }))
      .reverse();
  }

  async publish(values: Readonly<Record<string, Json>>, ttlMs: number): Promise<void> {
    checkTtl(ttlMs);
    const publication = preparePublication(values);
    if (publication.length === 0) return;
    const args = [String(ttlMs), ...publication.flatMap(({ key, text }) => [key, text])];
    await this.#run('publish', [this.#keys.topics, this.#keys.topicEnds], args);
  }

  async latest(prefix: string): Promise<ReadonlyMap<string, Json>> {
    checkPrefix(prefix);
    const [, ...found] = await this.#run('latest', [this.#keys.topics, this.#keys.topicEnds], [prefix]);
    return new Map(pairs(found).map(([topic, text]) => [topic, decodeValue(text)]));
  }

  async settled(timeoutMs: number): Promise<boolean> {
    checkTtl(timeoutMs);
    try {
      return await this.#settling.settled(this.guard.known.revision, () => this.#epoch, timeoutMs);
    } catch (error) {
      if (error instanceof ReactorError) return false;
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#link.close();
    await Promise.all([this.#following, this.#recovering]);
    await this.recovery.copy?.close();
  }

  /** Grows with every connection and whenever the state became another one: what was learnt before may not be so any more. */
  get #epoch(): number {
    return this.#link.epoch + this.guard.generation;
  }

  async #view(prefix: string, base: StateView | null): Promise<{ readonly view: StateView; readonly mark: string | undefined }> {
    const [kind, revision, mark, ...found] = await this.#run('read', [], [prefix, String(base?.revision ?? -1), '']);
    if (base !== null && kind === 'same') return { view: base, mark };
    if (base !== null && kind === 'changes') {
      return { view: laterView(base, Number(revision), decodeChanges(found[0] ?? '')), mark };
    }
    const { clusterId } = this.guard.known;
    if (kind !== 'large') {
      return { view: { clusterId, revision: Number(revision), entries: decodeEntries(found, prefix, base) }, mark };
    }
    const reply = await this.#link.runWithAll('read', ...this.#call([], [prefix, '-1', 'moment']), this.#keys.values);
    const [, moment, momentMark] = this.#known(reply.answer);
    const entries = decodeEntries(texts(reply.all), prefix, base);
    return { view: { clusterId, revision: Number(moment), entries }, mark: momentMark };
  }

  /** Runs a verb on the known state; throws `state_foreign` if it is not that one. */
  async #run(verb: Verb, keys: readonly string[], args: readonly string[]): Promise<readonly string[]> {
    return this.#known(await this.#link.run(verb, ...this.#call(keys, args)));
  }

  #call(keys: readonly string[], args: readonly string[]): [keys: readonly string[], args: readonly string[]] {
    if (this.#held !== null) throw this.#held;
    const { known } = this.guard;
    return [
      [...this.#keys.all, ...keys],
      [known.clusterId, momentText(known), ...args],
    ];
  }

  #known(answer: unknown): readonly string[] {
    const reply = texts(answer);
    const foreign = foreignAnswer(reply);
    if (foreign === null) return reply;
    throw this.#hold(this.guard.foreign(foreign.kind, foreign.found));
  }

  #hold(error: ReactorError): ReactorError {
    if (this.#closing.signal.aborted) return error;
    this.#held = error;
    this.#recovering ??= recover({ ...this.recovery, signal: this.#closing.signal }, this.guard).then(() => {
      this.#recovering = null;
      this.#held = null;
      this.#moved.ring();
    });
    return error;
  }

  async #follow(): Promise<void> {
    const { copy, tell } = this.recovery;
    if (copy === null) return;
    this.#startFeed();
    await followState({
      link: this.#link,
      keys: this.#keys,
      guard: this.guard,
      copy,
      moved: this.#moved,
      signal: this.#closing.signal,
      complain: (message) => tell('error', message),
    });
  }

  async #changes(prefix: string, from: number): Promise<Look> {
    try {
      const [kind, revisionText, mark, waitText, text = ''] = await this.#run('changes', [], [prefix, String(from)]);
      const revision = Number(revisionText);
      const waitMs = Number(waitText);
      this.guard.advance(revision, mark);
      return {
        kind: 'changes',
        epoch: this.#epoch,
        revision,
        changes: kind === 'gap' ? null : decodeChanges(text),
        againMs: waitMs < 0 ? LOOK_MS : Math.min(LOOK_MS, waitMs + LOOK_AFTER_MS),
      };
    } catch (error) {
      if (!(error instanceof ReactorError)) throw error;
      return error.code === 'state_foreign'
        ? { kind: 'foreign', epoch: this.#epoch, revision: from, againMs: LOOK_MS }
        : { kind: 'unavailable' };
    }
  }

  /** One blocking connection wakes all watchers; each then asks for what it wants. */
  #startFeed(): void {
    if (this.#feeding) return;
    this.#feeding = true;
    void ringAtChanges(this.#link, this.#keys.wake, this.guard.known.revision, this.#moved, this.#closing.signal);
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
