import { COLUMNS, documentRow } from './figure.mjs';

/** The table of figures in a document: rows are written anew by name, those of benchmarks that were not run stay as they are. */

const MARKERS = { begin: '<!-- bench -->', end: '<!-- /bench -->' };
/** Names are spelled as code in the document where they are code. */
const keyOf = (name) => name.replaceAll('`', '');

/**
 * The text with the figures of these benchmarks in its table. Of a benchmark that has rows there only those are written: the
 * document shows a choice. Of one that has none all figures are added. Throws when there is no place for a table.
 */
export function withFigures(text, results, machine) {
  const begin = text.indexOf(MARKERS.begin);
  const end = text.indexOf(MARKERS.end);
  if (begin < 0 || end < begin) throw new Error(`it has no ${MARKERS.begin} and ${MARKERS.end}`);
  const rows = rowsIn(text.slice(begin, end));
  for (const { figures } of results) {
    const known = figures.filter(({ name }) => rows.has(keyOf(name)));
    for (const figure of known.length > 0 ? known : figures) {
      const [name, ...cells] = documentRow(figure);
      rows.set(keyOf(name), [rows.get(keyOf(name))?.[0] ?? name, ...cells]);
    }
  }
  return `${text.slice(0, begin + MARKERS.begin.length)}\n${tableOf([...rows.values()])}\n\n${machine}\n${text.slice(end)}`;
}

/** By key; neither the head nor the line below it. */
function rowsIn(text) {
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  const rows = lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
  return new Map(rows.map((row) => [keyOf(row[0]), row]));
}

function tableOf(rows) {
  // What the last column says needs no head.
  const all = [[...COLUMNS.slice(0, -1), ''], ...rows];
  const widths = COLUMNS.map((_, column) => Math.max(3, ...all.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const [head, ...others] = all.map(line);
  return [head, line(widths.map((width) => '-'.repeat(width))), ...others].join('\n');
}
