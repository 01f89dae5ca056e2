import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RecordedRound, writeRecording } from '@reactor/core';
import { type FixedDaemon, fixedDaemon } from './fixed-daemon.js';
import { typed } from './typed.js';

/** `reactor simulate`, as it is typed: logs, tables and recordings in, tables, charts and pages out. */

const NOON_S = 1_795_262_400;
let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'reactor-simulate-'));
  writeFileSync(file('web.conf'), '[scaling]\nmax_instances = 5\nrules = 0 < rate < 10\nwindow = 4\nscale_down_delay = 5\n');
  writeFileSync(file('calm.conf'), '[scaling]\nmax_instances = 5\nrules = 0 < rate < 20\nwindow = 4\nscale_down_delay = 60\n');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const file = (name: string): string => join(directory, name);

function written(name: string, text: string): string {
  writeFileSync(file(name), text);
  return file(name);
}

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
function combined(second: number, status = 200): string {
  const at = new Date((NOON_S + second) * 1000);
  const day = `${String(at.getUTCDate()).padStart(2, '0')}/${MONTHS[at.getUTCMonth()]}/${at.getUTCFullYear()}`;
  return `10.0.0.9 - ann [${day}:${at.toISOString().slice(11, 19)} +0000] "GET /a?b=[c] HTTP/1.1" ${status} 512 "-" "curl/8 (x)"`;
}
const own = (second: number, token = '0a1b2c3d4e5f'): string =>
  `${token}\t${NOON_S + second}.250\t200\t512\t10.0.0.1:1, 10.0.0.2:2\t502, 200\t-, 0.001\t0.000, 0.040`;

/** 5 requests a second for a minute, 35 for two, none for one. */
const PER_SECOND = (second: number): number => (second < 60 ? 5 : second < 180 ? 35 : 0);
const logOf = (line: (second: number) => string): string =>
  Array.from({ length: 240 }, (_, second) => Array<string>(PER_SECOND(second)).fill(line(second)))
    .flat()
    .join('\n')
    .concat(`\n${line(239)}\n`);

async function answer(argv: readonly string[]) {
  const { status, stdout, stderr } = await typed(['simulate', ...argv, '--json']);
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

describe('an access log', () => {
  test('in the combined format shows what the configuration would have done', async () => {
    const log = written(
      'combined.log',
      logOf((second) => combined(second)),
    );
    const { runs, remarks } = await answer([file('web.conf'), '--log', log]);
    expect(remarks).toEqual([`${60 * 5 + 120 * 35 + 1} requests`]);
    expect(runs[0].summary).toMatchObject({ seconds: 240, least: 1, peak: 4, started: 3, reversals: 1, unknownSeconds: 0 });
    const { status, stdout, stderr } = await typed(['simulate', file('web.conf'), '--log', log, '--compare', file('calm.conf')]);
    expect([status, stderr]).toEqual([0, `reactor: ${log}: 4501 requests\n`]);
    expect(stdout).toMatch(/^rules +0 < rate < 10 +0 < rate < 20$/m);
    expect(stdout).toMatch(/^instances +1 to 4 +1 to 2$/m);
    expect(stdout).toMatch(/^rate +.*[▁▂▃▄▅▆▇█]+.* up to 35\/s$/m);
    expect(stdout).toContain('2026-11-21 12:00');
  });

  test("in the form of Reactor's own log tells of times, too", async () => {
    const log = written(
      'own.log',
      logOf((second) => own(second)),
    );
    const conf = written('slow.conf', '[scaling]\nmax_instances = 5\nrules = response < 300ms, p95 < 1\n');
    const { runs, remarks } = await answer([conf, '--log', log]);
    expect(remarks).toHaveLength(1);
    expect(runs[0].summary).toMatchObject({ peak: 1, aboveSeconds: 0 });
    expect(Math.max(...runs[0].series.load)).toBeCloseTo(0.04);
  });

  test('that tells nothing of a rule says so', async () => {
    const log = written(
      'plain.log',
      logOf((second) => combined(second)),
    );
    const conf = written('asks.conf', '[scaling]\nmax_instances = 5\nrules = response < 300ms\n');
    const { remarks } = await answer([conf, '--log', log]);
    expect(remarks[1]).toBe('it tells nothing of response: rules on it are skipped, and the count never falls');
  });

  test('with lines that cannot be read counts and names them', async () => {
    const lines = logOf((second) => combined(second)).split('\n');
    lines.splice(2, 0, 'what is this', '10.0.0.9 - - [99/Xxx/2026:12:00:00 +0000] "GET /" 200 1');
    const { remarks } = await answer([file('web.conf'), '--log', written('bad.log', lines.join('\n'))]);
    expect(remarks[0]).toBe(`4501 requests; 2 of 4503 lines could not be read, the first is line 3`);
  });

  test('of several sites needs to be told which', async () => {
    const log = written('sites.log', `${own(0)}\n${own(1, 'ffffffffffff')}\n${own(2)}\n`);
    const { status, stderr } = await typed(['simulate', file('web.conf'), '--log', log]);
    expect([status, stderr]).toEqual([
      1,
      `reactor: ${log}: line 2 is of another site than those before (ffffffffffff, 0a1b2c3d4e5f); say which with --site\n`,
    ]);
    const { remarks } = await answer([file('web.conf'), '--log', log, '--site', 'ffffffffffff']);
    expect(remarks).toEqual(['1 requests']);
  });
});

describe('a table of metrics', () => {
  const table = (rows: readonly string[]): string => `time,rate,queue\n${rows.join('\n')}\n`;

  test('is read with empty cells as unknown', async () => {
    const rows = Array.from(
      { length: 120 },
      (_, second) => `${NOON_S + second},${second < 60 ? 5 : 35},${second % 2 === 0 ? '' : 1}`,
    );
    const { runs } = await answer([file('web.conf'), '--metrics', written('load.csv', table(rows))]);
    expect(runs[0].summary).toMatchObject({ peak: 4 });
  });

  test.each([
    ['', 'the file is empty; expected time,metric,...'],
    ['time,rate\n', 'no line follows the first; expected time,metric,...'],
    ['when,rate\n', "line 1: expected 'time' first, then metrics, found 'when'"],
    ['time\n', "line 1: expected at least one metric after 'time'"],
    ['time,ra te\n', "line 1: 'ra te' is not a metric; expected letters, digits and _"],
    ['time,rate,rate\n', "line 1: 'rate' stands there twice"],
    ['time,rate\n1,2\n2\n', 'line 3: expected 2 cells, found 1'],
    ['time,rate\nyesterday,2\n', "line 2: time: expected Unix seconds or 2026-11-21T12:00:00Z, found 'yesterday'"],
    ['time,rate\n2,2\n1,2\n', 'line 3: its time is not after the one before'],
    ['time,rate\n1,-2\n', "line 2: rate: expected a number, 0 or more, or nothing, found '-2'"],
    ['time,rate\n1,2\n99999999,2\n', 'goes from 1970-01-01 00:00 to 1973-03-03 09:46; expected eight days at most'],
  ])('that is wrong gets one line: %j', async (text, message) => {
    const csv = written('wrong.csv', text);
    const { status, stdout, stderr } = await typed(['simulate', file('web.conf'), '--metrics', csv]);
    expect([status, stdout, stderr]).toEqual([1, '', `reactor: ${csv}${message.startsWith('goes') ? ' ' : ': '}${message}\n`]);
  });
});

describe('what was typed wrong', () => {
  test.each([
    [[], 'expected one of --log FILE, --metrics FILE and --recorded ENDPOINT'],
    [['--log', 'a', '--metrics', 'b'], 'expected one of --log FILE, --metrics FILE and --recorded ENDPOINT'],
    [['--log', 'a', '--since', '1h'], '--since belongs to --recorded'],
    [['--metrics', 'a', '--site', 'b'], '--site belongs to --log'],
    [['--log', 'a', '--capacity', 'much'], "--capacity: expected requests per second of one instance, such as 50/s, not 'much'"],
    [['--log', 'a', '--start-time', 'soon'], "--start-time: 'soon' is not a duration; write seconds, or 300ms, 30s, 2m, 1h"],
  ])('%j', async (options, message) => {
    const { status, stderr } = await typed(['simulate', file('web.conf'), ...options]);
    expect([status, stderr]).toEqual([2, `reactor: ${message}\n`]);
  });

  test('a file that is not there is named', async () => {
    const log = file('absent.log');
    expect((await typed(['simulate', file('web.conf'), '--log', log])).stderr).toBe(`reactor: no file '${log}'\n`);
    const csv = written('one.csv', 'time,rate\n1,2\n');
    expect((await typed(['simulate', file('absent.conf'), '--metrics', csv])).stderr).toBe(
      `reactor: no file '${file('absent.conf')}'\n`,
    );
    const conf = written('broken.conf', '[scaling]\nrules = rate > 3\n');
    expect((await typed(['simulate', conf, '--metrics', csv])).stderr).toMatch(
      /^reactor: .*broken\.conf: scaling\.rules \(line 2, column 14\): .*\n$/,
    );
  });
});

test('--html writes one page that asks nobody for anything, with names as text', async () => {
  const csv = written(
    'page.csv',
    `time,rate\n${Array.from({ length: 300 }, (_, second) => `${NOON_S + second},${second}`).join('\n')}\n`,
  );
  const conf = written('<b>&.conf', '[scaling]\nmax_instances = 5\nrules = 0 < rate < 10\n');
  const { status } = await typed([
    'simulate',
    conf,
    '--metrics',
    csv,
    '--compare',
    file('calm.conf'),
    '--html',
    file('out.html'),
  ]);
  expect(status).toBe(0);
  const page = readFileSync(file('out.html'), 'utf8');
  expect(page).toContain("default-src 'none'");
  expect(page.match(/<svg /g)).toHaveLength(3);
  expect(page).toContain('&lt;b&gt;&amp;.conf');
  expect(page).not.toMatch(/<b>|<script|https?:|\b(?:src|href)=|url\(|@import/);
});

describe('recorded rounds', () => {
  let daemon: FixedDaemon;
  const round = (atMs: number, rate: number, target: number): RecordedRound => ({
    ...{ atMs, state: 'RUNNING', instances: 1, settled: 1, ready: 1, target, shadow: null, hold: null, partial: false, thin: [] },
    ...{ metrics: { rate }, burst: null },
  });
  const recording = (targets: readonly number[]): string =>
    writeRecording({
      endpoint: 'pyex',
      scaling: {
        minInstances: 1,
        maxInstances: 5,
        rules: ['0 < rate < 10'],
        rampLimit: 5,
        windowMs: 10_000,
        scaleDownDelayMs: 30_000,
      },
      history: { targets: [] },
      thinned: false,
      rounds: targets.map((target, index) => round((NOON_S + index) * 1000, 25, target)),
    });
  afterEach(() => daemon.close());

  const play = async (targets: readonly number[]) => {
    const nowMs = (NOON_S + 60) * 1000;
    const asked = `GET /v1.1/endpoints/pyex/recording?since=${nowMs - 3_600_000}&until=${nowMs}`;
    daemon = await fixedDaemon({ [asked]: { body: `${recording(targets)}\n` } });
    return typed(['simulate', '--recorded', 'pyex', '--since', '1h', '--api', daemon.api], { nowMs });
  };

  test('are decided again, and the configuration of then is simulated', async () => {
    const { status, stdout, stderr } = await play([3, 3, 3]);
    expect([status, stderr]).toEqual([0, 'reactor: pyex: 3 recorded rounds decided again, 0 otherwise than live\n']);
    expect(stdout).toMatch(/pyex as recorded/);
    expect(stdout).toMatch(/^instances +1 to 3$/m);
  });

  test('that were decided otherwise are counted, and the first is named', async () => {
    const { stderr } = await play([3, 4, 4]);
    expect(stderr).toBe(
      'reactor: pyex: 3 recorded rounds decided again, 2 otherwise than live, the first at 2026-11-21T12:00:01.000Z\n',
    );
  });
});
