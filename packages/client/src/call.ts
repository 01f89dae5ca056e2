import { ReactorError } from '@reactor/core';
import { type Call, exchange, type Target } from './exchange.js';
import { rangeParameters } from './follow.js';
import type { LogRange } from './wire.js';

/** What the calls of the client are put together from: paths, bodies in JSON, answers in JSON. */

export interface Guard {
  /** Refuse with `revision_mismatch` unless the endpoint is at this revision. */
  readonly ifRevision?: number;
}

export async function get<T>(target: Target, path: string): Promise<T> {
  return answerOf(target, { method: 'GET', path });
}

/** The shape is the daemon's word; what is not JSON at all comes from somebody else, such as a login page. */
export async function answerOf<T>(target: Target, call: Call): Promise<T> {
  const { text } = await exchange(target, call);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ReactorError('unreachable', `${target.api} does not answer in JSON; is it a Reactor API?`, { cause });
  }
}

export async function send<T>(target: Target, method: Call['method'], path: string, body: unknown, guard?: Guard): Promise<T> {
  const text = JSON.stringify(body);
  return answerOf(target, { method, path, body: { type: 'application/json', text }, ...ifMatch(guard) });
}

export const ifMatch = (guard: Guard | undefined): { readonly ifMatch?: number } =>
  guard?.ifRevision === undefined ? {} : { ifMatch: guard.ifRevision };

/** In place of an endpoint's name: the endpoint of the instance that asks, which shows its token. */
export const OWN_ENDPOINT = '@own';

/** Names that a URL would swallow are refused here; all others are for the daemon to judge. */
export function pathOf(name: string, below?: string): string {
  if (/^\.{0,2}$/.test(name)) throw new ReactorError('request_invalid', `'${name}' is not an endpoint name`);
  const endpoint = name === OWN_ENDPOINT ? 'endpoint' : `endpoints/${encodeURIComponent(name)}`;
  return `/v1.1/${endpoint}${below === undefined ? '' : `/${below}`}`;
}

export function rangeQuery(range: LogRange | undefined): string {
  const parameters = rangeParameters(range);
  return parameters.length === 0 ? '' : `?${parameters.join('&')}`;
}
