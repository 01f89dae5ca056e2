import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as breath } from 'node:timers/promises';
import { describeError, type RecordedBlock, type Recording, thinned } from '@reactor/core';
import { appendBlock, readSegment, replaceSegment } from './history-segment.js';

/**
 * What this host has recorded of each endpoint, in files of six hours. The newest day keeps every round, what is older one
 * in ten seconds and every change of a count, until `retentionMs` is over or the space is needed: then the oldest files go,
 * whosever they are. Nothing here may hold up the daemon: what cannot be written is told once and left out.
 */
export interface HistoryFiles {
  append(recording: Recording): void;
  /** Blocks with something in [sinceMs, untilMs], oldest first. */
  read(endpoint: string, sinceMs: number, untilMs: number): Generator<RecordedBlock, void, void>;
  /** One step of what is to be done now and then; cheap when there is nothing. */
  tidy(): Promise<void>;
}

export interface HistoryOptions {
  readonly directory: string;
  readonly retentionMs: number;
  readonly limitBytes: number;
  readonly now: () => number;
  readonly log: (level: 'info' | 'warning', message: string) => void;
}

const SEGMENT_MS = 6 * 3_600_000;
const FINE_MS = 24 * 3_600_000;
const THIN_STEP_MS = 10_000;
/** Of one endpoint in six hours; reached by rounds that come ten times a second. The rest of the six hours is then left out. */
const SEGMENT_LIMIT_BYTES = 8 * 2 ** 20;
/** Read before others get their turn. */
const BLOCKS_AT_ONCE = 20;
/** A thinned block holds an hour, when little happened. */
const THIN_BLOCK_ROUNDS = 360;
/** Of a hash: files are not named after endpoints, whose names may differ in case only. */
const DIGITS = 16;
const FOLDER = /^[0-9a-f]{16}$/;
const NAME = /^(\d{1,15})\.(fine|thin)$/;

interface SegmentFile {
  readonly path: string;
  readonly startMs: number;
  readonly fine: boolean;
  bytes: number;
  /** Nothing is appended before it is known that it ends with a whole block. */
  whole: boolean | null;
}

export function openHistoryFiles(options: HistoryOptions): HistoryFiles {
  const { directory, now, log } = options;
  const folders = new Map<string, readonly SegmentFile[]>();
  const named = new Set<string>();
  let troubled = false;
  const failed = (what: string, error: unknown): void => {
    if (!troubled) log('warning', `history: cannot ${what}: ${describeError(error)}`);
    troubled = true;
  };
  const attempt = (what: string, work: () => void): void => {
    try {
      work();
      troubled = false;
    } catch (error) {
      failed(what, error);
    }
  };

  const blocksOf = (path: string): { readonly blocks: readonly RecordedBlock[]; readonly whole: boolean } => {
    const { blocks, damagedAt } = readSegment(path);
    if (damagedAt !== null && !named.has(path)) {
      log('warning', `history: ${path} is damaged from byte ${damagedAt} on; the rest of it is lost, a new file is begun`);
      named.add(path);
    }
    return { blocks, whole: damagedAt === null };
  };

  /** The file to append to: the newest, unless it is full of time, thinned or damaged. */
  const current = (folder: string): SegmentFile => {
    const files = folders.get(folder) ?? [];
    const last = files.at(-1);
    const startMs = Math.max(now(), (last?.startMs ?? 0) + 1);
    if (last?.fine === true && startMs - last.startMs < SEGMENT_MS) {
      last.whole ??= blocksOf(last.path).whole;
      if (last.whole) return last;
    }
    mkdirSync(join(directory, folder), { recursive: true, mode: 0o700 });
    const made = { path: join(directory, folder, `${startMs}.fine`), startMs, fine: true, bytes: 0, whole: true };
    folders.set(folder, [...files, made]);
    return made;
  };

  const replace = (file: SegmentFile, by: readonly SegmentFile[]): void => {
    for (const [folder, files] of folders) {
      if (!files.includes(file)) continue;
      const rest = files.flatMap((other) => (other === file ? by : [other]));
      folders.set(folder, rest);
      if (rest.length > 0) continue;
      folders.delete(folder);
      rmSync(join(directory, folder), { recursive: true, force: true });
    }
  };
  const remove = (file: SegmentFile): void => {
    rmSync(file.path, { force: true });
    named.delete(file.path);
    replace(file, []);
  };
  const thin = async (file: SegmentFile): Promise<void> => {
    const path = file.path.replace(/fine$/, 'thin');
    const bytes = replaceSegment(file.path, path, await thinnedBlocks(blocksOf(file.path).blocks));
    replace(file, [{ ...file, path, fine: false, bytes }]);
  };

  attempt('read what is there', () => {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const folder of readdirSync(directory).filter((name) => FOLDER.test(name)))
      folders.set(folder, segmentsIn(join(directory, folder)));
  });

  return {
    append: (recording) =>
      attempt('write', () => {
        const file = current(folderOf(recording.endpoint));
        if (file.bytes >= SEGMENT_LIMIT_BYTES) return;
        // Part of a block may stand there if this fails.
        file.whole = false;
        file.bytes += appendBlock(file.path, recording);
        file.whole = true;
      }),
    *read(endpoint, sinceMs, untilMs) {
      const files = folders.get(folderOf(endpoint)) ?? [];
      for (const [index, { path, startMs }] of files.entries()) {
        // Named after the moment of its first writing, a few minutes after its first round.
        const before = startMs - SEGMENT_MS > untilMs;
        const after = (files[index + 1]?.startMs ?? Number.POSITIVE_INFINITY) < sinceMs;
        if (before || after || !existsSync(path)) continue;
        for (const block of blocksOf(path).blocks) if (block.lastMs >= sinceMs && block.firstMs <= untilMs) yield block;
      }
    },
    async tidy() {
      const endsBefore = (file: SegmentFile, ms: number): boolean => file.startMs + SEGMENT_MS < now() - ms;
      attempt('tidy up', () => {
        const files = [...folders.values()].flat().sort((a, b) => a.startMs - b.startMs);
        let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
        for (const file of files) {
          if (total <= options.limitBytes && !endsBefore(file, options.retentionMs)) break;
          total -= file.bytes;
          remove(file);
        }
      });
      // One at a time: six hours take a while to read.
      const old = [...folders.values()].flat().find((file) => file.fine && endsBefore(file, FINE_MS));
      if (old !== undefined) await thin(old).catch((error) => failed('thin out what is old', error));
    },
  };
}

const folderOf = (endpoint: string): string => createHash('sha256').update(endpoint).digest('hex').slice(0, DIGITS);

function segmentsIn(folder: string): readonly SegmentFile[] {
  return readdirSync(folder)
    .flatMap((name): SegmentFile[] => {
      const [, startMs, kind] = NAME.exec(name) ?? [];
      if (startMs === undefined) return [];
      const path = join(folder, name);
      return [{ path, startMs: Number(startMs), fine: kind === 'fine', bytes: statSync(path).size, whole: null }];
    })
    .sort((a, b) => a.startMs - b.startMs);
}

/** As few blocks as there were configurations, but none much longer than an hour. */
async function thinnedBlocks(blocks: readonly RecordedBlock[]): Promise<readonly Recording[]> {
  const merged: Recording[] = [];
  for (const [index, block] of blocks.entries()) {
    if (index % BLOCKS_AT_ONCE === 0) await breath();
    const recording = block.read();
    if (recording === null) continue;
    const last = merged.at(-1);
    const next = thinned(recording, THIN_STEP_MS);
    const fits =
      last !== undefined &&
      JSON.stringify(last.scaling) === JSON.stringify(next.scaling) &&
      last.rounds.length + next.rounds.length <= THIN_BLOCK_ROUNDS;
    if (fits) merged[merged.length - 1] = { ...last, rounds: [...last.rounds, ...next.rounds] };
    else merged.push(next);
  }
  return merged;
}
