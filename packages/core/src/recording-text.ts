import type { RecordedRound, Recording } from './recording.js';

/**
 * A recording as one line of JSON, by columns: times as differences, and a column that never changes as its one value.
 * Numbers keep every digit, for a rounded one could decide otherwise.
 */

/** What reads it knows this form only. */
const FORM = 1;

/** Far above what a block holds; keeps a text from elsewhere from filling the memory. */
const ROUNDS_LIMIT = 100_000;

type Column<T> = readonly T[];

interface Text {
  readonly form: number;
  readonly endpoint: string;
  readonly scaling: Recording['scaling'];
  readonly history: Recording['history'];
  readonly thinned: boolean;
  readonly rounds: number;
  readonly atMs: number;
  readonly stepsMs: Column<number>;
  readonly plain: { readonly [Name in (typeof PLAIN)[number]]: Column<RecordedRound[Name]> };
  /** Null is missing. */
  readonly metrics: Readonly<Record<string, Column<number | null>>>;
  readonly bursts: Column<boolean>;
  readonly burst: Readonly<Record<string, Column<number | null>>>;
}

const PLAIN = ['state', 'instances', 'settled', 'ready', 'target', 'shadow', 'hold', 'partial', 'thin'] as const;

export function writeRecording({ endpoint, scaling, history, thinned, rounds }: Recording): string {
  const atMs = rounds[0]?.atMs ?? 0;
  const text: Text = {
    ...{ form: FORM, endpoint, scaling, history, thinned, rounds: rounds.length, atMs },
    stepsMs: column(rounds.map((round, index) => round.atMs - (rounds[index - 1]?.atMs ?? atMs))),
    plain: Object.fromEntries(
      PLAIN.map((name) => [name, column(rounds.map((round) => round[name]))]),
    ) as unknown as Text['plain'],
    metrics: valueColumns(rounds.map(({ metrics }) => metrics)),
    bursts: column(rounds.map(({ burst }) => burst !== null)),
    burst: valueColumns(rounds.map(({ burst }) => burst ?? {})),
  };
  return JSON.stringify(text);
}

/** Null when it is no recording, or one of another form. */
export function readRecording(line: string): Recording | null {
  try {
    const text = JSON.parse(line) as Text;
    return text.form === FORM && text.rounds <= ROUNDS_LIMIT ? recordingOf(text) : null;
  } catch {
    return null;
  }
}

function recordingOf({ endpoint, scaling, history, thinned, ...text }: Text): Recording {
  let { atMs } = text;
  const metrics = Object.entries(text.metrics);
  const burst = Object.entries(text.burst);
  const rounds = Array.from({ length: text.rounds }, (_, index): RecordedRound => {
    atMs += at(text.stepsMs, index);
    const plain = Object.fromEntries(PLAIN.map((name) => [name, at<unknown>(text.plain[name], index)]));
    return {
      ...(plain as unknown as Pick<RecordedRound, (typeof PLAIN)[number]>),
      atMs,
      metrics: valuesAt(metrics, index),
      burst: at(text.bursts, index) ? valuesAt(burst, index) : null,
    };
  });
  return { endpoint, scaling, history, thinned, rounds };
}

function column<T>(values: readonly T[]): Column<T> {
  const first = JSON.stringify(values[0]);
  return values.every((value) => JSON.stringify(value) === first) ? values.slice(0, 1) : values;
}

function at<T>(values: Column<T>, index: number): T {
  const value = values[values.length === 1 ? 0 : index];
  if (value === undefined) throw new TypeError('a column is too short');
  return value;
}

function valueColumns(rows: readonly Readonly<Record<string, number>>[]): Text['metrics'] {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return Object.fromEntries(names.map((name) => [name, column(rows.map((row) => row[name] ?? null))]));
}

function valuesAt(columns: readonly (readonly [string, Column<number | null>])[], index: number): RecordedRound['metrics'] {
  const values = columns.map(([name, values]) => [name, at(values, index)] as const);
  return Object.fromEntries(values.filter((entry): entry is readonly [string, number] => entry[1] !== null));
}
