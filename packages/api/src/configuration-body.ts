import { type ReadResult, readDocument } from '@reactor/config';
import { ReactorError } from '@reactor/core';
import { quoted } from './offending-value.js';
import type { Body } from './route.js';

/** A configuration as it is sent: INI, a JSON object, or as 2013 sent it a JSON string that holds INI. */

const INI_TYPES: readonly string[] = ['text/plain', 'application/x-ini', 'text/ini', 'text/x-ini'];

/** Empty is never "replace by nothing". */
export function readConfiguration({ bytes, type }: Body): ReadResult {
  if (type !== 'application/json' && !INI_TYPES.includes(type ?? '')) {
    const got = type === null ? 'none' : quoted(type);
    throw new ReactorError('media_type', `Content-Type: expected text/plain, application/x-ini or application/json, got ${got}`);
  }
  if (type === 'application/json') refuseOtherThanJson(bytes);
  const read = readDocument(bytes);
  if (isBlank(bytes)) throw new ReactorError('config_syntax', "empty config; use 'remove' to delete");
  return read;
}

/** INI, or the empty string of a 2013 client that read nothing from its input. */
function isBlank(bytes: Buffer): boolean {
  return /^(\ufeff)?\s*("\s*")?\s*$/.test(bytes.toString('utf8').slice(0, 1_024)) && bytes.length <= 1_024;
}

/** The reader tells INI and JSON apart by how they begin; here the sender has said which it is. */
function refuseOtherThanJson(bytes: Buffer): void {
  const opening = /\S/.exec(bytes.toString('utf8'))?.[0] ?? '{';
  if (opening === '{' || opening === '"') return;
  throw new ReactorError('config_syntax', 'expected a JSON object, or a JSON string that holds INI');
}
