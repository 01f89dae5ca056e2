/**
 * Everything a run of the command touches outside itself, so that tests run it in process. `processIo` is the real one.
 */
export interface Io {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdinIsTerminal: boolean;
  readonly stdoutIsTerminal: boolean;
  readonly now: () => number;
  /** Asks at the controlling terminal without echo; null when there is no terminal. */
  readonly askPassword: (prompt: string) => Promise<string | null>;
}

/** The part of a stream that printing needs. */
export interface Sink {
  write(text: string): boolean;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  once(event: 'drain', listener: () => void): unknown;
}

export function processIo(): Io {
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    stdinIsTerminal: process.stdin.isTTY === true,
    stdoutIsTerminal: process.stdout.isTTY === true,
    now: Date.now,
    askPassword: async (prompt) => (await import('./ask-password.js')).askPassword(prompt),
  };
}
