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
