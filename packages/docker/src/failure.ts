import { ReactorError } from '@reactor/core';
import type { Answer } from './connection.js';
import { MAX_WORDS } from './limits.js';

/** Docker's words on one line, without control characters, cut. */
export function plainWords(words: string): string {
  const line = words.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length > MAX_WORDS ? `${line.slice(0, MAX_WORDS)}…` : line;
}

/**
 * What an answer of 400 and above means. `doing` completes "Docker refused to …".
 *
 * Docker tells these two apart from any other 500 by their text alone, hence the only matching of text here:
 * a taken port (asks for another port) and a full disk (asks for a human).
 */
export function refusal(answer: Answer, doing: string): ReactorError {
  const words = plainWords(answer.message);
  const details = { status: answer.status };
  if (/port is already allocated|address already in use/i.test(words)) {
    return new ReactorError('port_taken', `${doing}: another program has the port (${words})`, { details });
  }
  if (answer.status >= 500 && /no space left on device/i.test(words)) {
    return new ReactorError('docker_refused', `Docker could not ${doing}: its disk is full (${words})`, { details });
  }
  return new ReactorError('docker_refused', `Docker refused to ${doing}: ${words || `status ${answer.status}`}`, { details });
}

const SIGNALS: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
};

/**
 * How a container ended, in plain words that complete "the container …". 125-127 are what Docker and shells report when
 * the command itself could not be run; above 128 is 128 + the signal.
 */
export function describeExit(exitCode: number | null, oomKilled: boolean): string {
  if (oomKilled) return 'was killed: it needed more memory than mem_limit allows';
  if (exitCode === null) return 'ended';
  if (exitCode === 0) return 'ended by itself (exit code 0); the command must keep running';
  if (exitCode === 125) return 'could not be run by Docker (exit code 125)';
  if (exitCode === 126) return 'could not run its command: not executable or no permission (exit code 126)';
  if (exitCode === 127) return 'could not run its command: no such file in the image (exit code 127)';
  if (exitCode === 137) return 'was killed from outside (exit code 137, SIGKILL)';
  if (exitCode === 139) return 'crashed (exit code 139, SIGSEGV: segmentation fault)';
  const signal = exitCode > 128 ? SIGNALS[exitCode - 128] : undefined;
  if (signal !== undefined) return `was ended by a signal (exit code ${exitCode}, ${signal})`;
  return `failed (exit code ${exitCode})`;
}
