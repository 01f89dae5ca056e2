import { ReactorError, type Sample } from '@reactor/core';
import { fileLines } from './file-lines.js';

/** A table of metrics over time: `time,metric,...` in the first line, then a line per moment, times ascending, empty for unknown. */

/** Eight days of a line a second. */
const ROWS_LIMIT = 8 * 86_400;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const VALUE = /^\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?$/;
const UNIX_S = /^\d{1,11}(?:\.\d+)?$/;
const UNIX_MS = /^\d{12,15}$/;

export async function readMetricsCsv(path: string): Promise<readonly Sample[]> {
  const samples: Sample[] = [];
  let names: readonly string[] | null = null;
  let number = 0;
  const refuse = (message: string): never => {
    throw new ReactorError('request_invalid', `${path}: line ${number}: ${message}`);
  };
  for await (const piece of fileLines(path)) {
    for (const raw of piece) {
      number += 1;
      const cells = raw.split(',').map((cell) => cell.trim());
      if (cells.join('') === '') continue;
      if (names === null) {
        names = namesOf(cells, refuse);
        continue;
      }
      if (samples.length === ROWS_LIMIT) refuse(`more than ${ROWS_LIMIT} lines`);
      if (cells.length !== names.length + 1) refuse(`expected ${names.length + 1} cells, found ${cells.length}`);
      const atMs = timeOf(cells[0] ?? '', refuse);
      if (atMs <= (samples.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY)) refuse('its time is not after the one before');
      samples.push({ atMs, values: valuesOf(names, cells.slice(1), refuse) });
    }
  }
  if (samples.length > 0) return samples;
  throw new ReactorError(
    'request_invalid',
    `${path}: ${names === null ? 'the file is empty' : 'no line follows the first'}; expected time,metric,...`,
  );
}

type Refuse = (message: string) => never;

function namesOf([time, ...names]: readonly string[], refuse: Refuse): readonly string[] {
  if (time !== 'time') return refuse(`expected 'time' first, then metrics, found '${time?.slice(0, 40)}'`);
  if (names.length === 0) return refuse("expected at least one metric after 'time'");
  const stranger = names.find((name) => !NAME.test(name));
  if (stranger !== undefined) return refuse(`'${stranger.slice(0, 40)}' is not a metric; expected letters, digits and _`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? names : refuse(`'${twice}' stands there twice`);
}

function timeOf(text: string, refuse: Refuse): number {
  if (UNIX_S.test(text)) return Math.round(Number(text) * 1000);
  const ms = UNIX_MS.test(text) ? Number(text) : Date.parse(text);
  return ms >= 0 ? ms : refuse(`time: expected Unix seconds or 2026-11-21T12:00:00Z, found '${text.slice(0, 40)}'`);
}

function valuesOf(names: readonly string[], cells: readonly string[], refuse: Refuse): Sample['values'] {
  const values = names.flatMap((name, index) => {
    const cell = cells[index] ?? '';
    if (cell === '') return [];
    if (!VALUE.test(cell) || !Number.isFinite(Number(cell))) {
      return refuse(`${name}: expected a number, 0 or more, or nothing, found '${cell.slice(0, 40)}'`);
    }
    return [[name, Number(cell)] as const];
  });
  return Object.fromEntries(values);
}
