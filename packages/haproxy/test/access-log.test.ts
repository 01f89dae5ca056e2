import { appendFileSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AccessLog, parseLine } from '../src/access-log.js';

const LINE = 'r0123456789ab\ts0123456789ab\t200\t1234\t12\t3\t--\t0';

test.each([
  [
    LINE,
    { backend: 'r0123456789ab', server: 's0123456789ab', status: 200, bytes: 1234, upstreamMs: 15, endedBy: '-', endedIn: '-' },
  ],
  [
    'r0123456789ab\t<NOSRV>\t503\t107\t-1\t-1\tSC\t0',
    { server: '<NOSRV>', status: 503, upstreamMs: -1, endedBy: 'S', endedIn: 'C' },
  ],
  ['r0123456789ab\ts0123456789ab\t-\t9\t-1\t-1\t--\t+1', { status: 0, upstreamMs: -1 }],
  ['r0123456789ab\ts0123456789ab\t-1\t0\t-1\t-1\tCR\t0', { status: 0, endedBy: 'C' }],
])('%j', (text, line) => {
  expect(parseLine(text)).toMatchObject(line);
});

test.each([
  ['Server r0123456789ab/s0123456789ab is UP, reason: Layer4 check passed'],
  [''],
  [LINE.slice(3)],
  [`${LINE}\tx`],
  ['reactor_unknown\t<NOSRV>\t404\t1\t-1\t-1\tPR\t0'],
])('%j is none of ours', (text) => {
  expect(parseLine(text)).toBeNull();
});

describe('the file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'access-log-'));
  afterAll(() => rmSync(directory, { recursive: true }));

  const read = (log: AccessLog): number => {
    let lines = 0;
    log.read(() => {
      lines += 1;
    });
    return lines;
  };

  test('is read from its end on, line by line however it is cut, and emptied when it is large', () => {
    const file = join(directory, 'a.log');
    writeFileSync(file, `${LINE}\n`);
    const log = new AccessLog(file, 1_000);
    expect(read(log)).toBe(0);
    appendFileSync(file, `${LINE}\n${LINE.slice(0, 20)}`);
    expect(read(log)).toBe(1);
    appendFileSync(file, `${LINE.slice(20)}\n`);
    expect(read(log)).toBe(1);
    appendFileSync(file, `${LINE}\n`.repeat(20));
    expect(read(log)).toBe(20);
    expect(statSync(file).size).toBe(0);
    appendFileSync(file, `${LINE}\n`);
    expect(read(log)).toBe(1);
  });

  test('may begin after we look, and may be emptied by somebody else', () => {
    const file = join(directory, 'b.log');
    const log = new AccessLog(file);
    expect(read(log)).toBe(0);
    writeFileSync(file, `${LINE}\n`);
    expect(read(log)).toBe(1);
    truncateSync(file, 0);
    expect(read(log)).toBe(0);
    appendFileSync(file, `${LINE}\n`);
    expect(read(log)).toBe(1);
  });
});
