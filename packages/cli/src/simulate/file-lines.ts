import { createReadStream } from 'node:fs';
import { ReactorError } from '@reactor/core';
import { fileError } from '../file-text.js';

/** No line of a log is so long; what is would only fill the memory. */
const LINE_LIMIT = 1_048_576;

/** The lines of a file, a piece at a time: each piece is a list of whole lines, without their ends. */
export async function* fileLines(path: string): AsyncGenerator<readonly string[], void, void> {
  let rest = '';
  let count = 0;
  try {
    for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_LIMIT)
        throw new ReactorError('too_large', `${path}: line ${count + lines.length + 1} is longer than ${LINE_LIMIT} characters`);
      count += lines.length;
      yield lines;
    }
  } catch (error) {
    throw error instanceof ReactorError ? error : fileError(path, error, 'read');
  }
  if (rest !== '') yield [rest];
}
