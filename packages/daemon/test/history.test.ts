import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DecisionReport, decideAgain, type Plan, type Recording, TOPICS } from '@reactor/core';
import { aHost, anEndpointConfig, aRule, createFakeStore, createWorld, until, type World } from '@reactor/testkit';
import { type History, startHistory } from '../src/history.js';
import { type HistoryFiles, type HistoryOptions, openHistoryFiles } from '../src/history-files.js';
import { createHistoryRecorder, type HistoryRecorder } from '../src/history-recorder.js';

/** The metric history of a host, on a real disk: what comes back, what it takes, and what is left after an accident. */

const HOUR_MS = 3_600_000;
const directories: string[] = [];

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'reactor-history-'));
  directories.push(made);
  return made;
}
afterAll(() => {
  for (const made of directories) rmSync(made, { recursive: true, force: true });
});

interface Kept {
  readonly files: HistoryFiles;
  readonly recorder: HistoryRecorder;
  readonly said: string[];
}

function open(path: string, now: () => number, change: Partial<HistoryOptions> = {}): Kept {
  const said: string[] = [];
  const log = (_level: string, message: string): void => void said.push(message);
  const options = { directory: path, retentionMs: 7 * 24 * HOUR_MS, limitBytes: 2 ** 30, now, log, ...change };
  const files = openHistoryFiles(options);
  return { files, recorder: createHistoryRecorder(files, now), said };
}

function aWorld(): World {
  const config = anEndpointConfig({ scaling: { maxInstances: 12, rules: [aRule('rate', { above: 0, below: 7 })] } });
  return createWorld({ endpoints: { web: config }, hosts: [aHost('vm1')], startSeconds: 2 });
}

const reportsOf = (made: Plan): readonly DecisionReport[] => made.endpoints.map(({ report }) => report);
const read = ({ files }: Kept): readonly Recording[] =>
  [...files.read('web', 0, Number.MAX_SAFE_INTEGER)].flatMap((block) => block.read() ?? []);

/** An hour of load, with what operators and accidents do meanwhile. */
function scriptedHour(world: World, second: number): void {
  world.load('web', Math.max(0, Math.round(40 + 45 * Math.sin(second / 200) + 9 * Math.sin(second * 1.7))));
  if (second === 600) world.set('web', { hold: { count: 9, untilMs: world.nowMs() + 120_000 } });
  if (second === 1_200) world.mute(true);
  if (second === 1_260) world.mute(false);
  if (second === 1_500)
    world.set('web', {
      config: anEndpointConfig({
        scaling: { maxInstances: 20, rules: [aRule('rate', { below: 5 }), aRule('queue', { below: 3 })] },
      }),
    });
  if (second === 1_600) world.post('web', null, { queue: [1, 2.5] });
  if (second === 2_000) world.post('web', null, { queue: [1, 3.4] });
  if (second === 2_400) world.post('web', null, null);
  if (second === 2_600) world.set('web', { state: 'PAUSED' });
  if (second === 2_700) world.set('web', { state: 'RUNNING' });
}

test('a scripted hour of plans, recorded and read back, decides again as it did: 0 divergent', () => {
  const path = directory();
  const world = aWorld();
  const kept = open(path, world.nowMs);
  const live = new Map<number, number>();
  for (let second = 0; second < 3_600; second += 1) {
    scriptedHour(world, second);
    const [made] = world.run(1);
    kept.recorder.observe(reportsOf(made!));
    if (second % 10 === 0) kept.recorder.flush();
    live.set(world.nowMs(), made!.endpoints[0]!.report.record.target);
  }
  kept.recorder.flush(true);
  const rounds = read(kept).flatMap((recording) => [...decideAgain(recording)]);
  expect(rounds.filter(([round, again]) => again.target !== round.target)).toEqual([]);
  expect(rounds.length).toBeGreaterThan(1_000);
  // What was left out between two rounds had the target of the first.
  const told = new Map(rounds.map(([round]) => [round.atMs, round.target]));
  let target: number | undefined;
  for (const [atMs, wanted] of live) {
    target = told.get(atMs) ?? target;
    expect([atMs, target]).toEqual([atMs, wanted]);
  }
  expect(new Set(live.values()).size).toBeGreaterThan(8);
});

test('what is published now and then can be decided again, too', () => {
  const world = aWorld();
  const kept = open(directory(), world.nowMs);
  for (let second = 0; second < 600; second += 1) {
    scriptedHour(world, second);
    const [made] = world.run(1);
    if (second % 10 === 3) kept.recorder.observe(reportsOf(made!));
  }
  kept.recorder.flush(true);
  const rounds = read(kept).flatMap((recording) => [...decideAgain(recording)]);
  expect(rounds).toHaveLength(60);
  expect(rounds.filter(([round, again]) => again.target !== round.target)).toEqual([]);
});

test('a clock that was set back loses nothing, and what a former leader published late is passed over', () => {
  const world = aWorld();
  const kept = open(directory(), world.nowMs);
  world.load('web', 30);
  const reports = Array.from({ length: 20 }, () => reportsOf(world.run(1)[0]!)[0]!);
  const at = (report: DecisionReport, shiftMs: number): DecisionReport => {
    const atMs = report.atMs + shiftMs;
    return { ...report, atMs, record: { ...report.record, atMs } };
  };
  kept.recorder.observe(reports.slice(0, 10));
  kept.recorder.observe([at(reports[10]!, -30_000)]);
  kept.recorder.observe(reports.slice(10).map((report) => at(report, -3_600_000)));
  kept.recorder.flush(true);
  const told = read(kept).flatMap(({ rounds }) => rounds.map(({ atMs }) => atMs));
  expect(told).not.toContain(reports[10]!.atMs - 30_000);
  const [first, last] = [reports[10]!, reports.at(-1)!].map(({ atMs }) => atMs - 3_600_000);
  expect(told[0]).toBe(reports[0]!.atMs);
  expect(told).toContain(first);
  expect(told.every((atMs) => atMs <= reports[9]!.atMs && (atMs >= reports[0]!.atMs || atMs <= last!))).toBe(true);
});

test('a thousand endpoints that are full at once are not written at once', () => {
  const world = aWorld();
  const written: number[] = [];
  let round = 0;
  const files = { append: () => void written.push(round) };
  const recorder = createHistoryRecorder(files, world.nowMs);
  for (round = 0; round < 110; round += 1) {
    world.load('web', 30 + ((round * 7) % 11));
    const [report] = reportsOf(world.run(1)[0]!);
    const many = Array.from({ length: 1_000 }, (_, index) => ({
      ...report!,
      record: { ...report!.record, endpoint: `web${index}` },
    }));
    recorder.observe(many);
  }
  const perRound = Array.from({ length: round }, (_, index) => written.filter((at) => at === index).length);
  expect(Math.max(...perRound)).toBeLessThanOrEqual(25);
  expect(written).toHaveLength(1_000);
});

test('a busy endpoint takes at most 3 MB a day, a quiet one 60 kB', () => {
  const size = (path: string): number => {
    const [folder] = readdirSync(path);
    return readdirSync(join(path, folder!)).reduce((sum, name) => sum + statSync(join(path, folder!, name)).size, 0);
  };
  const sizes = [true, false].map((busy) => {
    const path = directory();
    const world = aWorld();
    const kept = open(path, world.nowMs);
    for (let second = 0; second < 1_200; second += 1) {
      world.load(
        'web',
        busy ? Math.round(900 + 400 * Math.sin(second / 100) + ((second * 7_919) % 97)) : 0,
        0.02 + (second % 13) / 1000,
      );
      kept.recorder.observe(world.run(1).flatMap(reportsOf));
      kept.recorder.flush();
    }
    kept.recorder.flush(true);
    return 72 * size(path);
  });
  expect(sizes[0]).toBeLessThan(3e6);
  expect(sizes[1]).toBeLessThan(6e4);
});

function aRecording(firstMs: number, rounds = 60): Recording {
  const round = {
    state: 'RUNNING',
    instances: 2,
    settled: 2,
    ready: 2,
    target: 2,
    shadow: null,
    hold: null,
    partial: false,
    thin: [],
  } as const;
  return {
    ...{ endpoint: 'web', history: { targets: [] }, thinned: false },
    scaling: { minInstances: 1, maxInstances: 5, rules: ['rate < 10'], rampLimit: 5, windowMs: 10_000, scaleDownDelayMs: 30_000 },
    rounds: Array.from({ length: rounds }, (_, index) => ({
      ...round,
      atMs: firstMs + index * 1000,
      metrics: { rate: 10 + index },
      burst: null,
    })),
  };
}

const onlyFile = (path: string): string => {
  const [folder] = readdirSync(path);
  const names = readdirSync(join(path, folder!));
  expect(names).toHaveLength(1);
  return join(path, folder!, names[0]!);
};

describe('after an accident', () => {
  test.each([
    ['a write that was cut off', (file: string) => truncateSync(file, statSync(file).size - 7)],
    [
      'a byte that fell over',
      (file: string) => {
        const bytes = readFileSync(file);
        bytes[bytes.length - 9]! ^= 1;
        writeFileSync(file, bytes);
      },
    ],
    ['foreign text at its end', (file: string) => appendFileSync(file, 'what is this?')],
  ])('%s: what stood before is there, the file is named, and a new one is begun', (_what, harm) => {
    const path = directory();
    let nowMs = 1_000_000;
    const first = open(path, () => nowMs);
    first.files.append(aRecording(1_000_000));
    first.files.append(aRecording(1_060_000));
    const file = onlyFile(path);
    harm(file);

    nowMs = 1_200_000;
    const second = open(path, () => nowMs);
    second.files.append(aRecording(1_180_000));
    const starts = read(second).map(({ rounds }) => rounds[0]!.atMs);
    expect(starts).toEqual(expect.arrayContaining([1_000_000, 1_180_000]));
    expect(second.said).toEqual([expect.stringContaining(`${file} is damaged from byte `)]);
    read(second);
    expect(second.said).toHaveLength(1);
  });

  test('a whole file is gone on with by the next daemon', () => {
    const path = directory();
    open(path, () => 1_000_000).files.append(aRecording(1_000_000));
    const next = open(path, () => 1_100_000);
    next.files.append(aRecording(1_060_000));
    onlyFile(path);
    expect(read(next)).toHaveLength(2);
    expect(next.said).toEqual([]);
  });

  test('after a write that failed nothing is appended to that file', () => {
    const path = directory();
    const kept = open(path, () => 1_000_000);
    kept.files.append(aRecording(1_000_000));
    const file = onlyFile(path);
    rmSync(file);
    mkdirSync(file);
    kept.files.append(aRecording(1_060_000));
    expect(kept.said).toEqual([expect.stringContaining('history: cannot write: ')]);
    rmSync(file, { recursive: true });
    kept.files.append(aRecording(1_120_000));
    expect(read(kept).map(({ rounds }) => rounds[0]!.atMs)).toEqual([1_120_000]);
    expect(onlyFile(path)).not.toBe(file);
  });

  test('a directory that cannot be written is told once and stops nothing', () => {
    const file = join(directory(), 'occupied');
    writeFileSync(file, '');
    const kept = open(file, () => 0);
    kept.files.append(aRecording(0));
    kept.files.append(aRecording(60_000));
    expect(read(kept)).toEqual([]);
    expect(kept.said).toHaveLength(1);
  });
});

describe('whoever leads', () => {
  /** Sleeps until the test says so. */
  function aClock() {
    let nowMs = 1_700_000_000_000;
    let wake: () => void = () => undefined;
    return {
      now: () => nowMs,
      monotonic: () => nowMs,
      sleep: (_ms: number, signal?: AbortSignal) =>
        new Promise<void>((resolve) => {
          wake = resolve;
          if (signal?.aborted) resolve();
          signal?.addEventListener('abort', () => resolve());
        }),
      pass: (ms: number): void => {
        nowMs += ms;
        wake();
      },
    };
  }

  test('a host keeps what it planned itself and what others published, beyond its end', async () => {
    const clock = aClock();
    const store = createFakeStore({ now: clock.now });
    const path = directory();
    const start = (): History =>
      startHistory({
        store,
        clock,
        now: clock.now,
        directory: path,
        retentionMs: HOUR_MS,
        limitBytes: 2 ** 20,
        log: () => undefined,
      });
    const kept = (history: History): readonly number[] =>
      [...history.blocks('web', 0, Number.MAX_SAFE_INTEGER)].flatMap(
        (block) => block.read()?.rounds.map(({ target }) => target) ?? [],
      );
    const world = aWorld();
    const [report] = reportsOf(world.run(1)[0]!);
    const reportAt = (atMs: number, target: number): DecisionReport => ({
      ...report!,
      atMs,
      record: { ...report!.record, atMs, target },
    });

    const history = start();
    history.planned({ endpoints: [{ report: reportAt(clock.now(), 3) }] } as unknown as Plan);
    expect(kept(history)).toEqual([3]);
    clock.pass(20_000);
    await store.publish({ [TOPICS.decision('web')]: reportAt(clock.now(), 4) as never }, 60_000);
    await until('the other leader is seen', 5_000, () => {
      clock.pass(10_000);
      return kept(history).length === 2;
    });
    await history.close();

    const next = start();
    expect(kept(next)).toEqual([3, 4]);
    await next.close();
  });
});

describe('what is old', () => {
  test('is thinned after a day, in fewer bytes, with every change of a count', async () => {
    let nowMs = 0;
    const path = directory();
    const kept = open(path, () => nowMs);
    for (let minute = 0; minute < 300; minute += 1) {
      nowMs = minute * 60_000;
      kept.files.append(aRecording(nowMs));
    }
    const before = statSync(onlyFile(path)).size;
    nowMs = 31 * HOUR_MS;
    await kept.files.tidy();
    const file = onlyFile(path);
    expect(file).toMatch(/\.thin$/);
    expect(statSync(file).size).toBeLessThan(before / 2);
    const recordings = read(kept);
    expect(recordings.every(({ thinned }) => thinned)).toBe(true);
    expect(recordings.flatMap(({ rounds }) => rounds).length).toBeGreaterThanOrEqual(300 * 6);
  });

  test('goes when its time is over, and the oldest of all when space is short', async () => {
    let nowMs = 0;
    const path = directory();
    const kept = open(path, () => nowMs, { retentionMs: 24 * HOUR_MS });
    for (nowMs = 0; nowMs < 20 * HOUR_MS; nowMs += HOUR_MS) kept.files.append(aRecording(nowMs));
    expect(read(kept)).toHaveLength(20);
    nowMs = 31 * HOUR_MS;
    await kept.files.tidy();
    expect(read(kept)[0]!.rounds[0]!.atMs).toBe(7 * HOUR_MS);

    const narrow = open(path, () => nowMs, { limitBytes: 1 });
    await narrow.files.tidy();
    expect(read(narrow)).toEqual([]);
    expect(readdirSync(path)).toEqual([]);
  });
});
