import { printable } from './printable.js';

const GAP = '  ';
/** Shown for an empty cell, so that columns can be counted by programs that split on white space. */
const EMPTY = '-';

/**
 * Lines of aligned columns. Cells are never cut: lines may be wider than the terminal, which wraps or scrolls them.
 * Columns of plain numbers are aligned to the right. `header` is null for rows alone.
 */
export function table(header: readonly string[] | null, rows: readonly (readonly string[])[]): readonly string[] {
  const body = rows.map((row) => row.map((cell) => printable(cell) || EMPTY));
  const lines = header === null ? body : [header, ...body];
  const count = Math.max(0, ...lines.map((line) => line.length));
  const columns = Array.from({ length: count }, (_, column) => ({
    width: Math.max(...lines.map((line) => [...(line[column] ?? '')].length)),
    right: isNumeric(body.map((row) => row[column] ?? EMPTY)),
  }));
  return lines.map((line) =>
    columns
      .map(({ width, right }, column) => pad(line[column] ?? '', width, right))
      .join(GAP)
      .trimEnd(),
  );
}

const isNumeric = (cells: readonly string[]): boolean =>
  cells.some((cell) => cell !== EMPTY) && cells.every((cell) => cell === EMPTY || /^[0-9]+(?:\.[0-9]+)?$/.test(cell));

function pad(cell: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - [...cell].length));
  return right ? space + cell : cell + space;
}
