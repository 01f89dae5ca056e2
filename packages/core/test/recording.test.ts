import { aHost, anEndpointConfig, aRule, createWorld } from '@reactor/testkit';
import {
  type DecisionReport,
  decideAgain,
  type Recording,
  readRecording,
  recordedRound,
  repeats,
  thinned,
  writeRecording,
} from '../src/index.js';

/** Rounds as they are kept: nothing that decides is lost, by writing them or by leaving out what repeats itself. */

const config = anEndpointConfig({ scaling: { maxInstances: 20, rules: [aRule('rate', { above: 0, below: 7 })] } });

function reportsOf(seconds: number, load: (second: number) => number): readonly DecisionReport[] {
  const world = createWorld({ endpoints: { web: config }, hosts: [aHost('vm1')] });
  return Array.from({ length: seconds }, (_, second) => {
    world.load('web', load(second));
    return world.run(1)[0]!.endpoints[0]!.report;
  });
}

function recordingOf(reports: readonly DecisionReport[]): Recording {
  const { record } = reports[0]!;
  return {
    endpoint: 'web',
    scaling: record.scaling,
    history: record.inputs.history,
    thinned: false,
    rounds: reports.map(recordedRound),
  };
}

const wave = (second: number): number => Math.round(60 + 55 * Math.sin(second / 40) + (second % 7));

test('rounds decided again want what they wanted, sentence and all', () => {
  const reports = reportsOf(300, wave);
  const again = [...decideAgain(recordingOf(reports))].map(([, record]) => record);
  expect(again.map(({ target }) => target)).toEqual(reports.map(({ record }) => record.target));
  expect(again.map(({ step }) => step)).toEqual(reports.map(({ record }) => record.step));
  expect(new Set(again.map(({ target }) => target)).size).toBeGreaterThan(8);
});

test('the text keeps every digit, and is a tenth of the records', () => {
  const reports = reportsOf(60, wave);
  const recording = recordingOf(reports);
  const text = writeRecording(recording);
  expect(readRecording(text)).toEqual(recording);
  expect(text.length).toBeLessThan(JSON.stringify(reports).length / 10);
});

test.each([
  ['', 'nothing'],
  ['{}', 'another object'],
  ['{"form":2}', 'another form'],
  ['[1', 'half a line'],
])('text that is no recording is none: %s (%s)', (text) => {
  expect(readRecording(text)).toBeNull();
});

test('a text with a column that is too short is no recording', () => {
  const recording = recordingOf(reportsOf(10, wave));
  const { rounds, ...rest } = JSON.parse(writeRecording(recording)) as { rounds: number };
  expect(readRecording(JSON.stringify({ ...rest, rounds: rounds + 1 }))).toBeNull();
  expect(readRecording(JSON.stringify({ ...rest, rounds: 1e12 }))).toBeNull();
});

test('leaving out rounds that repeat the one before changes no decision', () => {
  const reports = reportsOf(240, (second) => (second < 60 ? 50 : 0));
  const { rounds, ...rest } = recordingOf(reports);
  const kept = rounds.filter((round, index) => index === 0 || !repeats(rounds[index - 1]!, round));
  expect(kept.length).toBeLessThan(rounds.length / 2);
  for (const [round, again] of decideAgain({ ...rest, rounds: kept }))
    expect([round.atMs, again.target]).toEqual([round.atMs, round.target]);
});

test('thinned rounds keep one in each step and every change of a count where it was', () => {
  const recording = recordingOf(reportsOf(300, wave));
  const thin = thinned(recording, 10_000);
  const changes = ({ rounds }: Recording) =>
    rounds.flatMap((round, index) =>
      index > 0 && rounds[index - 1]!.target !== round.target ? [[round.atMs, round.target]] : [],
    );
  expect(changes(thin)).toEqual(changes(recording));
  expect(thin.rounds.length).toBeGreaterThanOrEqual(30);
  expect(thin.rounds.length).toBeLessThan(recording.rounds.length / 2);
  expect(thin.thinned).toBe(true);
});
