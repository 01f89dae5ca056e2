import type { Io } from './io.js';
import { jsonText } from './output/json-text.js';
import { printable, printableLines } from './output/printable.js';

/** Where a verb prints. Results go to standard output, everything said about them to standard error. */
export interface Output {
  readonly color: boolean;
  readonly json: boolean;
  /** True when standard output is a terminal: tables then have a header. */
  readonly terminal: boolean;
  /** Text already made safe to print (by the printing nouns of output/). */
  lines(lines: readonly string[]): void;
  /** Text of the server's or the user's, printed on as many lines as it has. */
  text(text: string): void;
  value(value: unknown): void;
  /** One line on standard error after `reactor: `. */
  say(message: string): void;
  /** Resolves when a slow reader has caught up; to be awaited between the lines of something endless. */
  drained(): Promise<void>;
  /** Aborts when the reader of standard output has gone (`| head`): the rest would be thrown away. */
  readonly closed: AbortSignal;
}

export function createOutput(io: Io, choice: { readonly color: boolean | undefined; readonly json: boolean }): Output {
  const gone = new AbortController();
  let full = false;
  io.stdout.on('error', (error) => {
    if (error.code !== 'EPIPE') io.stderr.write(`reactor: cannot write the output: ${printable(error.message)}\n`);
    gone.abort(error);
  });
  // Nobody is left to tell.
  io.stderr.on('error', () => {});
  const write = (text: string): void => {
    if (!gone.signal.aborted) full = !io.stdout.write(text);
  };
  const noColorAsked = (io.env['NO_COLOR'] ?? '') !== '';
  return {
    color: choice.color ?? (io.stdoutIsTerminal && !noColorAsked),
    json: choice.json,
    terminal: io.stdoutIsTerminal,
    lines: (lines) => {
      if (lines.length > 0) write(`${lines.join('\n')}\n`);
    },
    text: (text) => write(text.endsWith('\n') ? printableLines(text) : `${printableLines(text)}\n`),
    value: (value) => write(`${jsonText(value)}\n`),
    say: (message) => void io.stderr.write(`reactor: ${printable(message)}\n`),
    drained: () => (full && !gone.signal.aborted ? untilDrained(io, gone.signal) : Promise.resolve()),
    closed: gone.signal,
  };
}

function untilDrained(io: Io, closed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    io.stdout.once('drain', resolve);
    closed.addEventListener('abort', () => resolve(), { once: true });
  });
}
