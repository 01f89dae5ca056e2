import { MAX_LINE_BYTES } from './limits.js';

/**
 * The JSON values of a stream of lines; a line that is not JSON is skipped. Fails when the stream breaks off or a line
 * does not end within the limit.
 */
export async function* jsonLines(stream: AsyncIterable<Buffer>): AsyncGenerator<unknown> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(0x0a, start); end >= 0; end = rest.indexOf(0x0a, start)) {
      yield* parseLine(rest.toString('utf8', start, end));
      start = end + 1;
    }
    rest = rest.subarray(start);
    if (rest.length > MAX_LINE_BYTES) throw new Error(`a line of the answer is longer than ${MAX_LINE_BYTES} bytes`);
  }
  yield* parseLine(rest.toString('utf8'));
}

function* parseLine(line: string): Generator<unknown> {
  if (line.trim() === '') return;
  try {
    yield JSON.parse(line);
  } catch {
    // One garbled line says nothing; what matters is read again by polling, or by the inspect after a pull.
  }
}
