import { ReactorError } from '@reactor/core';
import { lockDirectory } from './directory-lock.js';
import { type DiskEntry, EmbeddedDisk, eraseDisk } from './embedded-disk.js';
import type { StateIdentity } from './identity.js';

/** One key of the state; a null text deletes. */
export interface CopiedEntry {
  readonly key: string;
  readonly revision: number;
  readonly text: string | null;
}

/**
 * This host's copy of a cluster state that lives elsewhere: what it was, and which one. Not for reading while that state can be
 * reached, but for knowing it again after a restart and for bringing it back when it was lost. Invariants:
 * 1. It is a moment the state really had, whole: each write takes it from one such moment to a later one.
 * 2. What is damaged is never used: the copy is then begun anew.
 */
export class StateCopy {
  #identity: StateIdentity | null;

  private constructor(
    private readonly directory: string,
    private disk: EmbeddedDisk | null,
    private readonly unlock: () => void,
    identity: StateIdentity | null,
  ) {
    this.#identity = identity;
  }

  /**
   * Opens the copy in a directory of its own, which is made if it is not there. Throws `state_unavailable` when another process
   * has it or it cannot be written.
   *
   * @param complain told when there was a copy that cannot be used.
   * @param forget leave what is there and begin anew.
   */
  static async open(directory: string, complain: (message: string) => void, forget = false): Promise<StateCopy> {
    const unlock = lockDirectory(directory);
    try {
      if (forget) eraseDisk(directory);
      const { disk, identity } = await openDisk(directory, complain);
      return new StateCopy(directory, disk, unlock, identity);
    } catch (error) {
      unlock();
      throw error;
    }
  }

  /** The state and the moment of it that this is a copy of; null before there is one. */
  get identity(): StateIdentity | null {
    return this.#identity;
  }

  /** Makes it the copy of another moment, whatever it was before. Throws `state_unavailable`. */
  async replace(identity: StateIdentity, entries: readonly CopiedEntry[]): Promise<void> {
    if (this.#identity?.clusterId === identity.clusterId) {
      const keys = new Set(entries.map(({ key }) => key));
      const gone = [...this.entries()].filter(([key]) => !keys.has(key)).map(([key]) => ({ key, revision: 0, text: null }));
      await this.#save(identity, [...entries, ...gone]);
      return;
    }
    await this.forget();
    this.disk = EmbeddedDisk.open(this.directory, identity.clusterId).disk;
    await this.#save(identity, entries);
  }

  /** Takes it to a later moment of the same state. Throws `state_unavailable`, and is then as it was. */
  async advance(identity: StateIdentity, entries: readonly CopiedEntry[]): Promise<void> {
    await this.#save(identity, entries);
  }

  /** Every key with its value, in the order of the keys; throws `state_unavailable` when one is damaged, and then is no copy any more. */
  *entries(): Iterable<readonly [key: string, revision: number, text: string]> {
    try {
      if (this.disk !== null) yield* this.disk.records();
    } catch (error) {
      this.#identity = null;
      throw error;
    }
  }

  /** Begins anew, with nothing. */
  async forget(): Promise<void> {
    const { disk } = this;
    this.disk = null;
    this.#identity = null;
    await disk?.close();
    eraseDisk(this.directory);
  }

  async close(): Promise<void> {
    const { disk } = this;
    this.disk = null;
    await disk?.close();
    this.unlock();
  }

  async #save(identity: StateIdentity, entries: readonly CopiedEntry[]): Promise<void> {
    const { revision, mark = '' } = identity;
    const values = new Map<string, DiskEntry | null>();
    for (const { key, revision, text } of entries)
      values.set(key, text === null ? null : { entry: { revision }, lease: null, text });
    await this.disk?.save({ revision, mark, values, logWrites: [], outdatedLogEntries: [] });
    this.#identity = identity;
  }
}

async function openDisk(
  directory: string,
  complain: (message: string) => void,
): Promise<{ readonly disk: EmbeddedDisk | null; readonly identity: StateIdentity | null }> {
  try {
    const { disk, contents } = EmbeddedDisk.open(directory, '');
    const { clusterId, revision, mark } = contents;
    // A copy that was begun and never written has no mark.
    if (clusterId !== '' && mark !== undefined) return { disk, identity: { clusterId, revision, mark } };
    await disk.close();
  } catch (error) {
    if (!(error instanceof ReactorError)) throw error;
    complain(`the copy of the cluster state in ${directory} cannot be used and is begun anew: ${error.message}`);
  }
  eraseDisk(directory);
  return { disk: null, identity: null };
}
