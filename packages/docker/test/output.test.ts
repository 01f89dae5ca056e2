import type { OutputLine } from '@reactor/core';
import { outputLines } from '../src/output.js';
import { engineAt, fakeDockerd, json, type Reply } from './fake-dockerd.js';

const AT = '2026-11-21T03:02:07.250000001Z';
const AT_MS = Date.UTC(2026, 10, 21, 3, 2, 7, 250);

function frame(stream: number, text: string | Buffer, stamp = AT): Buffer {
  const payload = Buffer.concat([Buffer.from(`${stamp} `), Buffer.from(text)]);
  const head = Buffer.alloc(8);
  head[0] = stream;
  head.writeUInt32BE(payload.length, 4);
  return Buffer.concat([head, payload]);
}

async function linesOf(...chunks: readonly Buffer[]): Promise<readonly OutputLine[]> {
  async function* stream() {
    yield* chunks;
  }
  const lines: OutputLine[] = [];
  for await (const line of outputLines(stream())) lines.push(line);
  return lines;
}

describe('frames', () => {
  test('become lines of their stream with their time, wherever the chunks are cut', async () => {
    const bytes = Buffer.concat([frame(1, 'hello world\n'), frame(2, 'oh\r\n'), frame(1, '\n')]);
    const wanted = [
      { atMs: AT_MS, stream: 'stdout', text: 'hello world' },
      { atMs: AT_MS, stream: 'stderr', text: 'oh' },
      { atMs: AT_MS, stream: 'stdout', text: '' },
    ];
    for (let cut = 0; cut <= bytes.length; cut += 1)
      expect(await linesOf(bytes.subarray(0, cut), bytes.subarray(cut))).toEqual(wanted);
  });

  test('that hold pieces of a line are put together, also inside a character, and apart by stream', async () => {
    const euro = Buffer.from('\u20ac');
    expect(await linesOf(frame(1, euro.subarray(0, 1)), frame(2, 'x\n'), frame(1, euro.subarray(1)), frame(1, ' 5\n'))).toEqual([
      { atMs: AT_MS, stream: 'stderr', text: 'x' },
      { atMs: AT_MS, stream: 'stdout', text: '\u20ac 5' },
    ]);
  });

  test('without an end of line end at the limit, and at the end of the stream', async () => {
    const lines = await linesOf(...Array.from({ length: 9 }, () => frame(1, 'a'.repeat(16_384))));
    expect(lines.map(({ text }) => text.length)).toEqual([65_536, 65_536, 16_384]);
  });

  test('with a time nobody can read keep their line', async () => {
    expect(await linesOf(frame(1, 'x\n', 'soon'))).toEqual([{ atMs: 0, stream: 'stdout', text: 'x' }]);
  });

  test('that are none are refused', async () => {
    await expect(linesOf(Buffer.from('plain text of a terminal\n'))).rejects.toThrow('does not come in frames');
    await expect(linesOf(Buffer.from([1, 0, 0, 0, 255, 255, 255, 255, 0]))).rejects.toThrow('does not come in frames');
  });
});

describe('the engine', () => {
  const dockerds: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    await Promise.all(dockerds.splice(0).map((dockerd) => dockerd.close()));
  });
  async function asked(reply: Reply) {
    const urls: string[] = [];
    const dockerd = await fakeDockerd({
      'GET /containers/c1/logs': (request, response) => {
        urls.push(request.url ?? '');
        reply(request, response);
      },
    });
    dockerds.push(dockerd);
    return { engine: engineAt(dockerd.socket).engine, urls };
  }

  test('is asked for both streams with times, and for the range', async () => {
    const { engine, urls } = await asked((_request, response) => response.end(frame(1, 'hi\n')));
    const lines: OutputLine[] = [];
    const range = { tail: 5, sinceMs: 1_500, follow: false };
    for await (const line of engine.output('c1', range, new AbortController().signal)) lines.push(line);
    expect(lines.map(({ text }) => text)).toEqual(['hi']);
    expect(urls[0]).toMatch(/\?stdout=1&stderr=1&timestamps=1&tail=5&since=1\.500$/);
  });

  test('is followed until the reader has enough', async () => {
    const { engine } = await asked((_request, response) => response.write(frame(1, 'hi\n')));
    const stop = new AbortController();
    const lines: OutputLine[] = [];
    for await (const line of engine.output('c1', { tail: 5, sinceMs: null, follow: true }, stop.signal)) {
      lines.push(line);
      stop.abort();
    }
    expect(lines).toHaveLength(1);
  });

  test('that has no such container has no output, and what it refuses is told', async () => {
    const range = { tail: 5, sinceMs: null, follow: false };
    const { signal } = new AbortController();
    const gone = await asked(json({ message: 'No such container: c1' }, 404));
    expect((await gone.engine.output('c1', range, signal)[Symbol.asyncIterator]().next()).done).toBe(true);
    const other = await asked(json({ message: 'configured logging driver does not support reading' }, 500));
    await expect(other.engine.output('c1', range, signal)[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: 'docker_refused',
      message: expect.stringContaining('configured logging driver does not support reading'),
    });
  });
});
