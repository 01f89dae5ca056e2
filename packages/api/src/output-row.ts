import type { Container, ContainerEngine, OutputLine } from '@reactor/core';
import type { ApiContext } from './context.js';
import type { Funnel } from './funnel.js';

/** `[seconds, instance, "stdout" | "stderr", text, host]`, and `[seconds, "", "note", text, ""]` for what is to be known about it. */
export type Row = readonly [seconds: number, instance: string, stream: OutputLine['stream'] | 'note', text: string, host: string];

export interface OutputAsked {
  readonly context: ApiContext;
  readonly engine: Pick<ContainerEngine, 'list' | 'output'> | null;
  readonly endpoint: string;
  readonly tail: number;
  readonly sinceMs: number | null;
  readonly follow: boolean;
  /** For what is there already, of each host asked; of longer outputs the newest part is shown. */
  readonly limitBytes: number;
  /** Ends everything that was opened to answer. */
  readonly signal: AbortSignal;
}

/** One host's part: what it wrote so far, and what it goes on to write. */
export interface Source {
  readonly host: string;
  /** In order of time. */
  readonly past: readonly Row[];
  /** Puts rows as they are written; each waits until its reader has taken it. Resolves when nothing more will come. */
  readonly live: (funnel: Funnel<Row>) => Promise<void>;
}

export const rowOf = (container: Container, { atMs, stream, text }: OutputLine, host: string): Row => [
  atMs / 1000,
  container.instance,
  stream,
  text,
  host,
];

export const noteOf = (text: string, context: ApiContext): Row => [context.now() / 1000, '', 'note', text, ''];

/** What a row costs besides its text. */
export const ROW_BYTES = 64;

export const lineOf = (row: Row): string => `${JSON.stringify(row)}\n`;

/** The newest rows that fit into so many bytes, kept while older ones come first. */
export function newestWithin<T>(limitBytes: number, sizeOf: (item: T) => number): { push(item: T): void; items(): readonly T[] } {
  const items: T[] = [];
  let first = 0;
  let bytes = 0;
  return {
    push(item) {
      items.push(item);
      bytes += sizeOf(item);
      for (; bytes > limitBytes; first += 1) bytes -= items[first] === undefined ? bytes : sizeOf(items[first]!);
      // What fell out is let go now and then, not with every item.
      if (first <= items.length / 2) return;
      items.splice(0, first);
      first = 0;
    },
    items: () => items.slice(first),
  };
}
