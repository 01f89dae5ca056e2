import { execFile } from 'node:child_process';

export interface CommandOutcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

const MOST_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Runs a program to its end and answers its standard output; fails, with what it said, unless its status is 0. */
export async function run(file: string, words: readonly string[], input = ''): Promise<string> {
  const { status, stdout, stderr } = await collect(file, words, {}, input);
  if (status !== 0) throw new Error(`${file} ${words.join(' ')} ended with status ${status}: ${stderr}`);
  return stdout;
}

/** The same, with the status instead of failing; fails only when the program cannot be run or is ended by a signal. */
export function collect(
  file: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
  input = '',
): Promise<CommandOutcome> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...process.env, ...environment }, maxBuffer: MOST_OUTPUT_BYTES };
    const child = execFile(file, words, options, (error, stdout, stderr) => {
      const status = error === null ? 0 : (error as { code?: unknown }).code;
      if (typeof status === 'number') resolve({ status, stdout, stderr });
      else reject(error as Error);
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
