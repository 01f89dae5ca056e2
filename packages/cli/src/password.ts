import { readFile, stat } from 'node:fs/promises';
import { describeError } from '@reactor/core';
import type { CommandLine } from './command-line.js';
import type { Io } from './io.js';
import type { Output } from './output.js';
import { UsageError } from './usage-error.js';

/** Longer than any key; a mistyped path to something large is noticed instead of sent. */
const MAX_KEY_FILE_BYTES = 4096;
const OTHERS_WRITE = 0o002;
const OTHERS_READ = 0o004;

/**
 * The auth key to send, or null. `--askpass` beats `--password`, which beats `--password-file`; the command line beats
 * the environment as a whole, so that `--password-file` is not overruled by a left-over REACTOR_PASSWORD.
 */
export async function authKey(line: CommandLine, io: Io, output: Output): Promise<string | null> {
  const { options, typed } = line;
  if (typed.has('password')) {
    output.say(
      'warning: other users can read a password on the command line; use --askpass, --password-file or REACTOR_PASSWORD',
    );
  }
  const order = ['askpass', 'password', 'password-file'] as const;
  const source = order.find((name) => typed.has(name) && options[name] !== false) ?? order.find((name) => options[name]);
  if (source === undefined) return null;
  if (source === 'password') return options.password ?? null;
  if (source === 'password-file') return readKeyFile(options['password-file'] ?? '', output);
  const answer = await io.askPassword('Password: ');
  if (answer === null) throw new UsageError('--askpass needs a terminal; use --password-file or REACTOR_PASSWORD');
  return answer;
}

async function readKeyFile(path: string, output: Output): Promise<string> {
  const refuse = (reason: string): UsageError => new UsageError(`cannot use the password file ${path}: ${reason}`);
  let text: string;
  try {
    const facts = await stat(path);
    if (facts.isDirectory()) throw refuse('it is a directory');
    if ((facts.mode & OTHERS_WRITE) !== 0) throw refuse('everybody may write it; chmod 600 it first');
    if ((facts.mode & OTHERS_READ) !== 0) output.say(`warning: everybody may read the password file ${path}; chmod 600 it`);
    if (facts.size > MAX_KEY_FILE_BYTES) throw refuse(`it is longer than ${MAX_KEY_FILE_BYTES} bytes`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw refuse(fileReason(error));
  }
  const key = text.replace(/\r?\n$/, '');
  if (key === '') throw refuse('it is empty');
  if (/[\r\n]/.test(key)) throw refuse('it has more than one line');
  return key;
}

function fileReason(error: unknown): string {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'permission denied';
  return describeError(error);
}
