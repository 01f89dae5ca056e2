import { run } from '@reactor/cli';
import type { Io, Sink } from '../src/io.js';

export interface Printed {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  /** Null is a terminal at which nobody types. */
  readonly stdin?: string | null;
  /** In place of `stdin`, for what is no text. */
  readonly stdinBytes?: Uint8Array;
  readonly terminal?: boolean;
  readonly passwords?: readonly (string | null)[];
  readonly nowMs?: number;
  /** Standard output breaks after so many writes, as when `head` has gone. */
  readonly brokenAfter?: number;
}

/** Runs the command in this process as if typed, and answers what it printed. */
export async function typed(argv: readonly string[], around: Surroundings = {}): Promise<Printed> {
  const stdout = collector(around.brokenAfter ?? Number.POSITIVE_INFINITY);
  const stderr = collector(Number.POSITIVE_INFINITY);
  const passwords = [...(around.passwords ?? [])];
  const io: Io = {
    stdin: inputOf(around),
    stdout: stdout.sink,
    stderr: stderr.sink,
    env: around.env ?? {},
    stdinIsTerminal: around.stdin === null || around.stdin === undefined,
    stdoutIsTerminal: around.terminal ?? false,
    now: () => around.nowMs ?? 0,
    askPassword: async () => passwords.shift() ?? null,
  };
  const status = await run(argv, io);
  return { status, stdout: stdout.text(), stderr: stderr.text() };
}

async function* inputOf({ stdin, stdinBytes }: Surroundings): AsyncGenerator<Uint8Array> {
  if (typeof stdin !== 'string') throw new Error('the command read from a terminal');
  // In two pieces, as pipes do.
  const bytes = stdinBytes ?? new TextEncoder().encode(stdin);
  const half = Math.floor(bytes.length / 2);
  yield bytes.slice(0, half);
  yield bytes.slice(half);
}

function collector(brokenAfter: number): { readonly sink: Sink; readonly text: () => string } {
  const written: string[] = [];
  const listeners: ((error: NodeJS.ErrnoException) => void)[] = [];
  let writes = 0;
  return {
    text: () => written.join(''),
    sink: {
      write: (text) => {
        writes += 1;
        if (writes <= brokenAfter) written.push(text);
        else {
          const error = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
          for (const listener of listeners) queueMicrotask(() => listener(error));
        }
        return true;
      },
      on: (_event, listener) => listeners.push(listener),
      once: (_event, listener) => listener(),
    },
  };
}
