import type { ForeignKind, StateIdentity } from '../../packages/state/src/identity.js';
import type { FakeStore, StoreDump } from '../../packages/testkit/src/fake-store.js';

/**
 * The pasts of the store: what a failover brings back, and which of two moments with the same number is which. A master that
 * lost writes gives their revisions to others; as Redis does with the marks of its revisions (packages/state/lua/moment.lua),
 * this tells whether what somebody knows ever happened in the history that goes on.
 */
export class StoreHistory {
  /** Later revisions than these bear that mark; ascending. */
  #forks: { readonly after: number; readonly mark: string }[] = [];
  /** Of earlier moments nobody can tell any more whether they happened. */
  #horizon = 0;
  #marks = 0;
  #moments: StoreDump[] = [];
  #copies: readonly StoreDump[] = [];

  constructor(private readonly store: FakeStore) {}

  /** Moments of before, newest last. */
  get moments(): readonly StoreDump[] {
    return this.#moments;
  }

  /** Moments that a failover lost and hosts may still have copies of, newest last. */
  get copies(): readonly StoreDump[] {
    return this.#copies;
  }

  now(): StateIdentity {
    return { clusterId: this.store.clusterId, revision: this.store.revision, mark: this.#markOf(this.store.revision) };
  }

  /** What the store is to somebody who knows that moment; null when it is the same history. */
  kindFor({ clusterId, revision, mark }: StateIdentity): ForeignKind | null {
    if (this.store.clusterId !== clusterId) return 'other';
    if (this.store.revision < revision) return 'behind';
    return revision < this.#horizon || this.#markOf(revision) === mark ? null : 'split';
  }

  remember(): void {
    if (this.#moments.at(-1)?.revision !== this.store.revision) this.#moments.push(this.store.dump());
    if (this.#moments.length > KEPT) this.#moments.shift();
  }

  /** Everything after that moment never happened; hosts may have copies of what did, or none that can be read. */
  fallBack(to: StoreDump, hasCopies: boolean): void {
    this.remember();
    this.#copies = hasCopies ? this.#moments : [];
    this.#moments = this.#moments.filter(({ revision }) => revision <= to.revision);
    this.store.load(to);
    this.#forks = this.#forks.filter(({ after }) => after < to.revision);
    this.#fork(to.revision);
  }

  /** It goes on far ahead of what anybody knows: as a copy had it, without what was under a lease; or, without one, as it is. */
  goOn(after: number, copy: StoreDump | null): void {
    const revision = Math.max(after, this.store.revision) + REVISIONS_AHEAD;
    const kept = copy === null ? this.store.dump() : unleased(copy);
    this.store.load({ ...kept, revision });
    this.#moments = [];
    this.#horizon = revision;
    this.#forks = [];
    this.#fork(revision - 1);
  }

  #fork(after: number): void {
    this.#marks += 1;
    this.#forks.push({ after, mark: String(this.#marks) });
  }

  #markOf(revision: number): string {
    return this.#forks.findLast(({ after }) => after < revision)?.mark ?? '0';
  }
}

const KEPT = 40;
/** More than any daemon has seen since the copy it has. */
const REVISIONS_AHEAD = 10_000;

function unleased(dump: StoreDump): StoreDump {
  return { ...dump, values: new Map([...dump.values].filter(([, { lease }]) => lease === null)), leases: new Map() };
}
