import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib';
import { type RecordedBlock, type Recording, readRecording, writeRecording } from '@reactor/core';

/**
 * One file of blocks, only ever appended to or replaced as a whole:
 *
 *     block := bytes (u32)  CRC-32 (u32)  first ms (f64)  last ms (f64)  a recording as JSON, deflated
 *
 * A power cut can leave a part of a block at the end, and that ends the file: nothing is appended behind it.
 */
const HEAD_BYTES = 24;
/** A larger one is not ours: a block holds an hour at most. */
const BLOCK_LIMIT_BYTES = 4 * 2 ** 20;

export interface Segment {
  readonly blocks: readonly RecordedBlock[];
  /** Where it stops making sense; null when it is whole. */
  readonly damagedAt: number | null;
}

/** Answers how many bytes were added. */
export function appendBlock(path: string, recording: Recording): number {
  const bytes = blockOf(recording);
  appendFileSync(path, bytes, { mode: 0o600 });
  return bytes.length;
}

/** Whole or not at all, and never beside what it replaces. Answers its size. */
export function replaceSegment(from: string, to: string, recordings: readonly Recording[]): number {
  const bytes = Buffer.concat(recordings.map(blockOf));
  writeFileSync(`${to}.new`, bytes, { mode: 0o600 });
  renameSync(`${to}.new`, from);
  renameSync(from, to);
  return bytes.length;
}

export function readSegment(path: string): Segment {
  const bytes = readFileSync(path);
  const blocks: RecordedBlock[] = [];
  for (let at = 0; at < bytes.length; ) {
    const block = blockAt(bytes, at);
    if (block === null) return { blocks, damagedAt: at };
    blocks.push(block);
    at = block.end;
  }
  return { blocks, damagedAt: null };
}

function blockOf(recording: Recording): Buffer {
  const body = deflateRawSync(writeRecording(recording));
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUInt32LE(body.length, 0);
  head.writeDoubleLE(recording.rounds[0]?.atMs ?? 0, 8);
  head.writeDoubleLE(recording.rounds.at(-1)?.atMs ?? 0, 16);
  head.writeUInt32LE(crc32(body, crc32(head.subarray(8))), 4);
  return Buffer.concat([head, body]);
}

function blockAt(bytes: Buffer, at: number): (RecordedBlock & { readonly end: number }) | null {
  const head = bytes.subarray(at, at + HEAD_BYTES);
  if (head.length < HEAD_BYTES) return null;
  const end = at + HEAD_BYTES + head.readUInt32LE(0);
  const body = bytes.subarray(at + HEAD_BYTES, end);
  if (end > bytes.length || body.length > BLOCK_LIMIT_BYTES) return null;
  if (crc32(body, crc32(head.subarray(8))) !== head.readUInt32LE(4)) return null;
  const read = (): Recording | null => readRecording(inflateRawSync(body, { maxOutputLength: TEXT_LIMIT_BYTES }).toString());
  return { firstMs: head.readDoubleLE(8), lastMs: head.readDoubleLE(16), end, read };
}

/** Deflate makes at most a thousandth; ours makes a tenth. */
const TEXT_LIMIT_BYTES = 16 * BLOCK_LIMIT_BYTES;
