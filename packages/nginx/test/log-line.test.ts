import { LogLines } from '../src/log-line.js';
import { Traffic } from '../src/traffic.js';
import { groupServices } from '../src/virtual-service.js';
import { backendAt, serviceAt } from './services.js';

const NOW_MS = 1_700_000_000_500;
const SECOND = 1_700_000_000;
const SERVICE = serviceAt('pyex', 80, { backends: [backendAt(81, 'a'), backendAt(82, 'b'), backendAt(83, 'six', 1, 'fd00::1')] });
const TOKEN = groupServices([SERVICE]).virtual[0]!.token;

function read(text: string) {
  const traffic = new Traffic();
  traffic.configure([SERVICE], NOW_MS);
  const lines = new LogLines(traffic);
  const buffer = Buffer.from(text, 'latin1');
  lines.scan(buffer, 0, buffer.length, SECOND);
  return { bad: lines.bad, ...traffic.report(NOW_MS, new Map())['pyex']! };
}

const line = (rest: string, second = SECOND) => `${TOKEN}\t${second}.123\t${rest.split(' | ').join('\t')}\n`;
const GOOD = line('200 | 10 | 127.0.0.1:81 | 200 | 0.000 | 0.250');

describe('a request', () => {
  test('counts for its endpoint and its backend', () => {
    const { buckets, backends, times, bad } = read(GOOD + GOOD);
    expect(bad).toBe(0);
    expect(buckets).toEqual([{ second: SECOND, requests: 2, bytes: 20, timed: 2, seconds: 0.5, errors: 0 }]);
    expect(backends['a']).toEqual({ active: 0, requests: 2, errors: 0, refused: 0 });
    expect(times[1]).toBe(2);
  });

  test('that was retried counts once for the endpoint, once per attempt for backends, and a refusal is told from an answer 502', () => {
    const { buckets, backends } = read(line('200 | 10 | 127.0.0.1:81, 127.0.0.1:82 | 502, 200 | -, 0.001 | 0.000, 0.004'));
    expect(buckets).toEqual([{ second: SECOND, requests: 1, bytes: 10, timed: 1, seconds: 0.004, errors: 0 }]);
    expect(backends['a']).toMatchObject({ requests: 1, errors: 0, refused: 1 });
    expect(backends['b']).toMatchObject({ requests: 1, errors: 0, refused: 0 });
    expect(read(line('502 | 1 | 127.0.0.1:81 | 502 | 0.000 | 0.001')).backends['a']).toMatchObject({ errors: 1, refused: 0 });
  });

  test('that is answered ends a row of refusals', () => {
    const refused = line('502 | 1 | 127.0.0.1:81 | 502 | - | 0.000');
    expect(read(refused + refused).backends['a']!.refused).toBe(2);
    expect(read(refused + refused + GOOD).backends['a']!.refused).toBe(0);
  });

  test('whose client left first says nothing about the backend', () => {
    const { backends, buckets } = read(line('499 | 0 | 127.0.0.1:81 | - | - | 0.100'));
    expect(backends['a']!.refused).toBe(0);
    expect(buckets[0]!.timed).toBe(0);
  });

  test.each([
    ['no backend', line('503 | 10 | - | - | - | -')],
    ['no live backend', line(`502 | 10 | reactor_${TOKEN} | 502 | - | 0.000`)],
    ['an unknown address', line('200 | 10 | 10.9.9.9:80 | 200 | 0.000 | 0.010')],
    ['a unix socket', line('200 | 10 | unix:/x | 200 | 0.000 | 0.010')],
    ['an internal redirect', line('200 | 10 | 127.0.0.1:81 : 127.0.0.1:82 | 200 : 200 | 0.000 : 0.000 | 0.001 : 0.002')],
    [
      'an internal redirect to nowhere',
      line('200 | 10 | 127.0.0.1:81 :  | 200 :  | 0.000 :  | 0.001 : ').replaceAll(':  ', ' : '),
    ],
    ['IPv6', line('200 | 10 | [fd00::1]:83 | 200 | 0.000 | 0.010')],
    ['no bytes', line('200 | - | 127.0.0.1:81 | 200 | 0.000 | 0.010')],
  ])('with %s is read', (_, text) => {
    const { bad, buckets } = read(text.replace(/ {2}/g, ' '));
    expect(bad).toBe(0);
    expect(buckets).toHaveLength(1);
  });

  test('over IPv6 counts for its backend', () => {
    expect(read(line('200 | 10 | [fd00::1]:83 | 200 | 0.000 | 0.010')).backends['six']!.requests).toBe(1);
  });

  test('of an unknown token is passed over, of a clock set back counts now, of long ago not at all', () => {
    expect(read(GOOD.replace(TOKEN, '0123456789ab')).buckets).toEqual([]);
    expect(read(line('200 | 1 | - | - | - | -', SECOND + 9_999)).buckets[0]!.second).toBe(SECOND);
    expect(read(line('200 | 1 | - | - | - | -', SECOND - 9_999)).buckets).toEqual([]);
  });
});

describe('a bad line is one count and spoils nothing', () => {
  test.each([
    '\n',
    'GET / HTTP/1.1\n',
    '\x1b[31m\\x22\t\t\t\n',
    `${TOKEN}\n`,
    `${TOKEN}\t\n`,
    `${TOKEN}\t12\n`,
    GOOD.slice(20),
    `${GOOD.slice(0, 30)}\n`,
    GOOD.replace('0.250', '1,5'),
    GOOD.replace('0.250', '0.25'),
    GOOD.replace('0.250', '0.250, 0.250'),
    GOOD.replace('127.0.0.1:81', ''),
    GOOD.replace('\t10\t', `\t${'9'.repeat(21)}\t`),
    GOOD.replace('\n', '\textra\n'),
    `${'A'.repeat(65_536)}\n`,
    GOOD.replace('127', '12\x007'),
  ])('%j', (text) => {
    const { bad, buckets } = read(GOOD + text + GOOD);
    expect(bad).toBe(1);
    expect(buckets[0]!.requests).toBe(2);
  });

  test('a block of NULs in front of a good line is no line at all', () => {
    const { bad, buckets } = read(`${GOOD}${'\0'.repeat(5000)}${GOOD}`);
    expect(bad).toBe(0);
    expect(buckets[0]!.requests).toBe(2);
  });

  test('every cut of a good line is bad or good, never an exception, and the next line counts', () => {
    for (let cut = 0; cut < GOOD.length; cut++) {
      const { buckets } = read(`${GOOD.slice(0, cut)}\n${GOOD}`);
      expect(buckets[0]!.requests).toBeGreaterThanOrEqual(1);
    }
  });
});
