import { closeSync, fstatSync, openSync, readFileSync, readSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describeError, hasCode, type Json, type LogEntry, ReactorError } from '@reactor/core';
import { type Database, open, type RootDatabase } from 'lmdb';
import type { HeldEntry, LogWrite } from './draft.js';
import type { StateIdentity } from './identity.js';

const FORMAT = 'reactor-state-1';
const SEAL = 'state.json';
const DATA = 'data.mdb';
/** First word of an LMDB file, somewhere in the header of its first page. */
const LMDB_MAGIC = 0xbeefc0de;
const LMDB_HEADER_BYTES = 64;
const MODE = 0o600;

/** The lease of every key that was under one when the former process ended. */
export const LEFT_OVER = 'left over';

/** What is on disk, whole. */
export interface DiskContents extends StateIdentity {
  readonly values: ReadonlyMap<string, HeldEntry>;
}

/**
 * Written next to the data, so that a truncated or a foreign file is told before it is opened: LMDB maps it, and a page that
 * is not there kills the process.
 */
interface Seal {
  readonly format: string;
  readonly clusterId: string;
  /** The data file was at least that large; it never shrinks. */
  readonly bytes: number;
}

interface Moment {
  readonly revision: number;
  readonly keys: number;
  /** Of a copy: tells the revision from another one of the same number. */
  readonly mark?: string;
}

/** A value as it is stored. */
export interface DiskEntry {
  readonly entry: { readonly revision: number };
  readonly lease: string | null;
  readonly text: string;
}

/** What one transaction writes. */
export interface DiskDraft {
  readonly revision: number;
  readonly mark?: string;
  /** Null: deleted. */
  readonly values: ReadonlyMap<string, DiskEntry | null>;
  readonly logWrites: readonly LogWrite[];
  readonly outdatedLogEntries: readonly (readonly [log: string, seq: number])[];
}

/**
 * The durable half of the embedded store: LMDB, one transaction per draft, answered after it is flushed. Every value carries a
 * checksum over its key and itself; LMDB has none.
 */
export class EmbeddedDisk {
  #seal: Seal;
  #keys = 0;

  private constructor(
    private readonly directory: string,
    private readonly root: RootDatabase<string, string>,
    private readonly values: Database<string, string>,
    private readonly logs: Database<string, [string, number]>,
    seal: Seal,
  ) {
    this.#seal = seal;
  }

  /** @param clusterId identity of the contents if there are none yet. */
  static open(directory: string, clusterId: string): { readonly disk: EmbeddedDisk; readonly contents: DiskContents } {
    let seal = readSeal(directory);
    checkData(directory, seal);
    if (seal === null) {
      seal = { format: FORMAT, clusterId, bytes: 0 };
      writeSeal(directory, seal);
    }
    let root: RootDatabase<string, string> | null = null;
    try {
      // Not `overlappingSync`: it answers before the data is on the disk.
      root = open<string, string>({
        path: directory,
        noSubdir: false,
        encoding: 'string',
        overlappingSync: false,
        // One transaction is one batch already; the one it would begin around it has a promise of its own, which nobody can
        // catch and which fails with it.
        eventTurnBatching: false,
        maxDbs: 4,
      });
      const values = root.openDB<string, string>({ name: 'values', encoding: 'string' });
      const logs = root.openDB<string, [string, number]>({ name: 'logs', encoding: 'string' });
      const disk = new EmbeddedDisk(directory, root, values, logs, seal);
      return { disk, contents: disk.#load() };
    } catch (error) {
      void root?.close();
      if (error instanceof ReactorError) throw error;
      throw unavailable(directory, `cannot be opened: ${describeError(error)}`, error);
    }
  }

  /** Returns once the draft survives a kill and a power cut; throws `state_unavailable`, and then nothing of it is there. */
  async save(draft: DiskDraft): Promise<void> {
    const before = this.#keys;
    try {
      // A child transaction is rolled back when it throws; a plain one would keep what was written before.
      await this.root.childTransaction(() => {
        for (const [key, held] of draft.values) this.#put(key, held);
        for (const { log, seq, text } of draft.logWrites) this.logs.putSync([log, seq], text);
        for (const [log, seq] of draft.outdatedLogEntries) this.logs.removeSync([log, seq]);
        const { revision, mark } = draft;
        const moment: Moment = { revision, keys: this.#keys, ...(mark === undefined ? {} : { mark }) };
        this.root.putSync('moment', JSON.stringify(moment));
      });
      this.#growSeal();
    } catch (error) {
      this.#keys = before;
      const reason = await reasonOf(error);
      // Only its first words: what follows is a place in the file, and one problem should read the same at every try.
      const [words] = describeError(reason).split(': ');
      throw unavailable(this.directory, `cannot be written: ${words}; is the disk full?`, reason);
    }
  }

  /** Every key with its value as it is stored, in the order of the keys; throws `state_unavailable` when one is damaged. */
  *records(): Iterable<readonly [key: string, revision: number, text: string]> {
    for (const { key, value } of this.values.getRange()) {
      const record = decodeText(key, value);
      if (record === null) throw damaged(this.directory, `the value of ${JSON.stringify(key)} fails its checksum`);
      yield [key, record.revision, record.text];
    }
  }

  lastSeq(log: string): number {
    for (const [, seq] of this.logs.getKeys({ ...logRange(log, 0), reverse: true, limit: 1 })) return seq;
    return 0;
  }

  /** Entries of a log with seq > since, oldest first, at most the newest `limit`. */
  tail(log: string, since: number, limit: number): readonly LogEntry[] {
    if (limit <= 0) return [];
    const newest = [...this.logs.getRange({ ...logRange(log, since), reverse: true, limit })];
    return newest.reverse().map(({ key, value }) => ({ seq: key[1], ...(JSON.parse(value) as Omit<LogEntry, 'seq'>) }));
  }

  async close(): Promise<void> {
    await this.root.close();
  }

  #put(key: string, held: DiskEntry | null): void {
    const isThere = this.values.doesExist(key);
    if (held !== null) this.values.putSync(key, encodeRecord(key, held));
    else if (isThere) this.values.removeSync(key);
    this.#keys += Number(held !== null) - Number(isThere);
  }

  #load(): DiskContents {
    const text = this.root.get('moment');
    if (text === undefined && this.#seal.bytes > 0) throw damaged(this.directory, 'its revision is missing');
    const moment = text === undefined ? { revision: 0, keys: 0 } : (JSON.parse(text) as Moment);
    const values = new Map<string, HeldEntry>();
    for (const { key, value } of this.values.getRange()) {
      const held = decodeRecord(key, value);
      if (held === null) throw damaged(this.directory, `the value of ${JSON.stringify(key)} fails its checksum`);
      values.set(key, held);
    }
    if (values.size !== moment.keys) throw damaged(this.directory, `it holds ${values.size} keys instead of ${moment.keys}`);
    this.#keys = values.size;
    const { revision, mark } = moment;
    return { clusterId: this.#seal.clusterId, revision, values, ...(mark === undefined ? {} : { mark }) };
  }

  #growSeal(): void {
    const { size } = statSync(join(this.directory, DATA));
    if (size <= this.#seal.bytes) return;
    this.#seal = { ...this.#seal, bytes: size };
    writeSeal(this.directory, this.#seal);
  }
}

/** `checksum revision leased json`. Which lease is not kept: at the next start none of them lives any more. */
function encodeRecord(key: string, held: DiskEntry): string {
  const body = `${held.entry.revision} ${held.lease === null ? 0 : 1} ${held.text}`;
  return `${checksum(key, body)} ${body}`;
}

function decodeRecord(key: string, record: string): HeldEntry | null {
  const found = decodeText(key, record);
  if (found === null) return null;
  const { revision, isLeased, text } = found;
  return { entry: { value: JSON.parse(text) as Json, revision }, lease: isLeased ? LEFT_OVER : null };
}

function decodeText(
  key: string,
  record: string,
): { readonly revision: number; readonly isLeased: boolean; readonly text: string } | null {
  const [, sum, body, revision, leased, text] = /^([0-9a-f]+) ((\d+) ([01]) (.*))$/.exec(record) ?? [];
  if (body === undefined || text === undefined || sum !== checksum(key, body)) return null;
  return { revision: Number(revision), isLeased: leased === '1', text };
}

function checksum(key: string, body: string): string {
  return crc32(body, crc32(key)).toString(16);
}

function logRange(log: string, since: number): { readonly start: [string, number]; readonly end: [string, number] } {
  // LMDB walks backwards from `start`, which is included, to `end`, which is not.
  return { start: [log, Number.MAX_SAFE_INTEGER], end: [log, since] };
}

function readSeal(directory: string): Seal | null {
  let text: string;
  try {
    text = readFileSync(join(directory, SEAL), 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw unavailable(directory, `cannot be read: ${describeError(error)}`, error);
  }
  try {
    const seal = JSON.parse(text) as Partial<Seal> | null;
    if (seal?.format === FORMAT && typeof seal.clusterId === 'string' && typeof seal.bytes === 'number') {
      return { format: FORMAT, clusterId: seal.clusterId, bytes: seal.bytes };
    }
  } catch {
    // Not JSON: not ours, as below.
  }
  throw new ReactorError('state_foreign', `${join(directory, SEAL)} is not of this version of Reactor, expected ${FORMAT}`);
}

function writeSeal(directory: string, seal: Seal): void {
  const path = join(directory, SEAL);
  writeFileSync(`${path}.new`, `${JSON.stringify(seal)}\n`, { mode: MODE, flush: true });
  renameSync(`${path}.new`, path);
}

function checkData(directory: string, seal: Seal | null): void {
  const header = Buffer.alloc(LMDB_HEADER_BYTES);
  let size: number;
  try {
    const file = openSync(join(directory, DATA), 'r');
    try {
      size = fstatSync(file).size;
      readSync(file, header, 0, header.length, 0);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw unavailable(directory, `cannot be read: ${describeError(error)}`, error);
    if (seal !== null && seal.bytes > 0) throw damaged(directory, `${DATA} is missing`);
    return;
  }
  if (seal === null) {
    throw new ReactorError('state_foreign', `${join(directory, DATA)} is not Reactor's; name another state directory`);
  }
  if (size < seal.bytes) throw damaged(directory, `${DATA} has ${size} bytes, expected ${seal.bytes} or more`);
  if (size > 0 && header.findIndex((_, at) => at % 4 === 0 && header.readUInt32LE(at) === LMDB_MAGIC) < 0) {
    throw damaged(directory, `${DATA} is not an LMDB file`);
  }
}

/** Removes what a closed disk left in the directory; what else is there stays. */
export function eraseDisk(directory: string): void {
  for (const name of [SEAL, `${SEAL}.new`, DATA, 'lock.mdb']) rmSync(join(directory, name), { force: true });
}

/** LMDB tells the reason of a failed commit by another promise, which must be looked at: left alone, it ends the process. */
async function reasonOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !('commitError' in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (reason) {
    return reason;
  }
}

function damaged(directory: string, what: string): ReactorError {
  return unavailable(directory, `is damaged: ${what}; restore a backup, or move it away to begin with an empty state`);
}

function unavailable(directory: string, what: string, cause?: unknown): ReactorError {
  return new ReactorError('state_unavailable', `the state directory ${directory} ${what}`, { cause });
}
