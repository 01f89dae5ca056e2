import type { StateChange } from '@reactor/core';
import { LIMITS } from './limits.js';

/** What one revision changed; a lease that held nothing ends with no changes. */
export interface Revision {
  readonly revision: number;
  readonly changes: readonly StateChange[];
  /** About what it holds in memory. */
  readonly bytes: number;
}

/** The latest revisions of an embedded store, without a hole. Bounded, so a watcher that is too far behind finds a gap. */
export class ChangeHistory {
  readonly #revisions: Revision[] = [];
  #bytes = 0;

  /** @param latest revision of the store when the history begins. */
  constructor(private latest: number) {}

  push(revision: Revision): void {
    this.#revisions.push(revision);
    this.#bytes += revision.bytes;
    this.latest = revision.revision;
    while (this.#revisions.length > LIMITS.changesKept || (this.#revisions.length > 1 && this.#bytes > LIMITS.changesKeptBytes)) {
      this.#bytes -= this.#revisions.shift()?.bytes ?? 0;
    }
  }

  /** Changes after `from` below the prefix, in order; null when some of them are no longer known. */
  since(from: number, prefix: string): readonly StateChange[] | null {
    if (from === this.latest) return [];
    const first = this.#revisions[0]?.revision;
    if (first === undefined || from > this.latest || from < first - 1) return null;
    return this.#revisions
      .slice(from - first + 1)
      .flatMap(({ changes }) => (prefix === '' ? changes : changes.filter(({ key }) => key.startsWith(prefix))));
  }
}
