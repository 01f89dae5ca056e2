import { ReactorError } from '@reactor/core';
import type { Io } from './io.js';
import { UsageError } from './usage-error.js';

/** More than the daemon takes as a configuration, so that its own limit is the one users meet. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;
/** A longer line is not an evaluation; it would only fill the memory. */
const MAX_LINE_CHARACTERS = 1024 * 1024;

/**
 * Standard input as it is. At a terminal, where it would wait for ever without a word, throws a UsageError with the hint;
 * throws `config_too_large` as well.
 */
export async function readBytes(io: Io, hint: string): Promise<Uint8Array> {
  if (io.stdinIsTerminal) throw new UsageError(hint);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of io.stdin) {
    const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
    size += bytes.length;
    if (size > MAX_TEXT_BYTES)
      throw new ReactorError('config_too_large', `standard input is longer than ${MAX_TEXT_BYTES} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** The same as UTF-8 text; throws `config_syntax` for other encodings. */
export async function readText(io: Io, hint: string): Promise<string> {
  const bytes = await readBytes(io, hint);
  try {
    // The byte order mark is left in: what to say about it is the reader's business.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ReactorError('config_syntax', 'standard input is not UTF-8 text', { cause });
  }
}

/** Standard input line by line, without line ends; empty lines are left out. Holds one line in memory. */
export async function* readLines(io: Io): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8');
  let rest = '';
  for await (const chunk of io.stdin) {
    rest += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_CHARACTERS) {
      throw new ReactorError('too_large', `a line of standard input is longer than ${MAX_LINE_CHARACTERS} characters`);
    }
    for (const line of lines) if (line.trim() !== '') yield line.replace(/\r$/, '');
  }
  if (rest.trim() !== '') yield rest.replace(/\r$/, '');
}
