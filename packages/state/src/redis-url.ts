import { readFileSync } from 'node:fs';
import { describeError, ReactorError } from '@reactor/core';
import type { RedisOptions } from 'ioredis';
import type { RedisAddress } from './redis-nodes.js';

const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26379;
const EXPECTED =
  'expected redis://[user:password@]host[:port][/db], redis+cluster://[user:password@]host:port,host:port, rediss://...[?ca=FILE] or rediss+cluster:// for TLS, or redis+sentinel://[user:password@]host:port,host:port/master[/db]';

export interface RedisTarget {
  readonly options: RedisOptions;
  /** Some nodes of a cluster; null: not a cluster. */
  readonly nodes: readonly RedisAddress[] | null;
  /** The address without credentials, for messages. */
  readonly where: string;
}

/**
 * Where a state URL leads; throws `config_invalid`. Credentials are percent-decoded; `sentinelPassword`, and `ca` of
 * TLS, a file of certificates to trust instead of the system's, are query parameters.
 */
export function parseRedisUrl(url: string): RedisTarget {
  const match = /^(rediss?|rediss?\+cluster|redis\+sentinel):\/\/(?:([^@/]*)@)?([^/?]*)((?:\/[^/?]*)*)(?:\?(.*))?$/.exec(url);
  if (match === null) throw invalid(`the state URL ${withoutCredentials(url)} is not one of Redis`);
  const [, scheme, userInfo, authority, path = '', query = ''] = match;
  const segments = path.split('/').slice(1);
  if (scheme === 'redis+sentinel') return sentinelTarget(userInfo, authority ?? '', segments, new URLSearchParams(query));
  const places = addresses(authority === '' ? 'localhost' : (authority ?? ''), DEFAULT_PORT);
  const [address] = places;
  const isCluster = scheme?.endsWith('+cluster') === true;
  if (address === undefined || segments.length > 1) throw invalid(`the state URL ${withoutCredentials(url)} is incomplete`);
  if (places.length > 1 && !isCluster) throw invalid(`the state URL ${withoutCredentials(url)} names several servers`);
  const db = database(segments[0]);
  if (isCluster && db !== 0) throw invalid('a Redis cluster has the database 0 only');
  return {
    options: {
      ...(isCluster ? {} : address),
      ...credentials(userInfo),
      db,
      ...(scheme?.startsWith('rediss') ? { tls: trusted(new URLSearchParams(query).get('ca')) } : {}),
    },
    nodes: isCluster ? places : null,
    where: `${scheme}://${places.map(({ host, port }) => `${host}:${port}`).join(',')}/${db}`,
  };
}

function sentinelTarget(
  userInfo: string | undefined,
  authority: string,
  segments: readonly string[],
  query: URLSearchParams,
): RedisTarget {
  const [name, databaseText] = segments;
  if (name === undefined || name === '' || segments.length > 2) throw invalid('the Sentinel URL names no master');
  const sentinels = addresses(authority, DEFAULT_SENTINEL_PORT);
  const sentinelPassword = query.get('sentinelPassword');
  const db = database(databaseText);
  return {
    options: {
      sentinels,
      name,
      ...credentials(userInfo),
      db,
      ...(sentinelPassword === null ? {} : { sentinelPassword }),
    },
    nodes: null,
    where: `redis+sentinel://${sentinels.map(({ host, port }) => `${host}:${port}`).join(',')}/${name}/${db}`,
  };
}

/** The server's certificate must be of this authority and for the host's name. */
function trusted(file: string | null): { readonly ca?: Buffer } {
  if (file === null) return {};
  try {
    return { ca: readFileSync(file) };
  } catch (error) {
    throw new ReactorError('config_invalid', `the certificates in the state URL cannot be read: ${describeError(error)}`);
  }
}

function addresses(authority: string, defaultPort: number): { readonly host: string; readonly port: number }[] {
  return authority.split(',').map((text) => {
    const [, bracketed, plain, portText] = /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9._-]+))(?::(\d+))?$/.exec(text) ?? [];
    const host = bracketed ?? plain;
    const port = portText === undefined ? defaultPort : Number(portText);
    if (host === undefined || port < 1 || port > 65_535) throw invalid(`the address ${JSON.stringify(text)} of Redis is invalid`);
    return { host, port };
  });
}

function credentials(userInfo: string | undefined): { readonly username?: string; readonly password?: string } {
  if (userInfo === undefined || userInfo === '') return {};
  const colon = userInfo.indexOf(':');
  const [user, password] = colon < 0 ? [userInfo, ''] : [userInfo.slice(0, colon), userInfo.slice(colon + 1)];
  try {
    const username = decodeURIComponent(user);
    return { ...(username === '' ? {} : { username }), password: decodeURIComponent(password) };
  } catch {
    throw invalid('the credentials in the state URL are not percent-encoded');
  }
}

function database(text: string | undefined): number {
  if (text === undefined || text === '') return 0;
  if (!/^\d{1,4}$/.test(text)) throw invalid(`the Redis database ${JSON.stringify(text)} is not a number`);
  return Number(text);
}

function withoutCredentials(url: string): string {
  return JSON.stringify(url.replace(/\/\/.*@/, '//***@'));
}

function invalid(what: string): ReactorError {
  return new ReactorError('config_invalid', `${what}; ${EXPECTED}`);
}
