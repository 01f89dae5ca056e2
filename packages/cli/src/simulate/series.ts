import type { SimulatedRound } from '@reactor/core';

/** A simulation in as many columns as there is room for. */
export interface Series {
  readonly fromMs: number;
  readonly stepMs: number;
  /** The most of each column; null where nobody knows. */
  readonly load: readonly (number | null)[];
  readonly instances: readonly number[];
  /** Seconds above a band, and below one. */
  readonly above: readonly number[];
  readonly below: readonly number[];
}

export function seriesOf(rounds: readonly SimulatedRound[], columns: number): Series {
  const each = Math.max(1, Math.ceil(rounds.length / columns));
  const pieces = Array.from({ length: Math.ceil(rounds.length / each) }, (_, index) =>
    rounds.slice(index * each, (index + 1) * each),
  );
  return {
    fromMs: rounds[0]?.atMs ?? 0,
    stepMs: each * 1000,
    load: pieces.map((piece) => most(piece.flatMap(({ load }) => load ?? []))),
    instances: pieces.map((piece) => Math.max(...piece.map(({ instances }) => instances))),
    above: pieces.map((piece) => piece.filter(({ band }) => band === 'above').length),
    below: pieces.map((piece) => piece.filter(({ band }) => band === 'below').length),
  };
}

const most = (values: readonly number[]): number | null => (values.length === 0 ? null : Math.max(...values));
