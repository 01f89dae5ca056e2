import { fault, HEADERS_MAX, type Header, type HeaderSide, headerFault, type Parsed, parsed } from '@reactor/core';
import type { KeyType } from './key-type.js';

/** Where the next header begins: on a new line, or at a comma with a name behind it. Other commas belong to the value. */
const BETWEEN = /\n|,(?=\s*[A-Za-z0-9-]+:(?:\s|$))/;

/** `Name: value`, one per line. A name without a value takes the header away. */
export function headers(side: HeaderSide): KeyType<readonly Header[]> {
  return { name: 'Name: value, one per line', parse: (text) => parseHeaders(side, text), words: [], lines: true };
}

function parseHeaders(side: HeaderSide, text: string): Parsed<readonly Header[]> {
  const found = new Map<string, Header>();
  let at = 0;
  for (const piece of text.split(BETWEEN)) {
    const line = piece.trim();
    const column = at + 1 + piece.indexOf(line);
    at += piece.length + 1;
    if (line === '') continue;
    const match = /^([^:\s]+):(?:\s+(.*))?$/.exec(line);
    if (match === null) return fault(column, 'expected Name: value, with a blank after the colon');
    const header: Header = [match[1]!, match[2] ?? ''];
    const wrong = headerFault(side, header);
    if (wrong !== null) return fault(column, wrong);
    const name = header[0].toLowerCase();
    if (found.has(name)) return fault(column, `${header[0]} is set twice`);
    if (found.size === HEADERS_MAX) return fault(column, `more than ${HEADERS_MAX} headers`);
    found.set(name, header);
  }
  return parsed([...found.values()]);
}
