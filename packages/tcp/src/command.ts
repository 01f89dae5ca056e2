import type { ProxyDocument } from './document.js';
import type { Applied, Sight } from './proxy.js';
import type { SessionRow } from './switchboard.js';

/** What is said over the control socket: one JSON object per line, each command answered by a line with its number. */
export type Command =
  | { readonly do: 'greet' }
  | { readonly do: 'apply'; readonly document: ProxyDocument }
  | { readonly do: 'sight' }
  | { readonly do: 'sessions' }
  | { readonly do: 'kill'; readonly endpoint: string; readonly client: string }
  | { readonly do: 'retire' };

export interface Answers {
  readonly greet: { readonly protocol: number; readonly pid: number };
  readonly apply: Applied;
  readonly sight: Sight;
  readonly sessions: readonly SessionRow[];
  readonly kill: boolean;
  readonly retire: null;
}

export type Numbered<T> = T & { readonly number: number };

export type Reply = { readonly number: number } & ({ readonly answer: unknown } | { readonly problem: string });

/** Of one line: a document of ten thousand backends is about two megabytes. */
export const LINE_LIMIT = 32 * 2 ** 20;

/** Cuts what arrives into lines. @throws Error when one is longer than anybody's */
export function lineReader(line: (text: string) => void): (part: string) => void {
  let rest = '';
  return (part) => {
    const lines = (rest + part).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_LIMIT) throw new Error('a line on the control socket is too long');
    for (const each of lines) line(each);
  };
}
