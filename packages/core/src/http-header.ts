/**
 * Headers that operators add or take away. They end up in a load balancer's configuration, so names and values are held to
 * what can be quoted there whole; and those that say who asks, or how a message is framed, are the load balancer's own.
 */
export type Header = readonly [name: string, value: string];

export const HEADERS_MAX = 32;
const VALUE_LENGTH_MAX = 1024;

/** Whoever could set these could speak for another client, or make two readers of one connection disagree. */
const OWN_REQUEST_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'forwarded',
  'keep-alive',
  'proxy',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-real-ip',
]);
/** The same of answers; and what would belie the body, or take the instance's own cookies away. */
const OWN_RESPONSE_HEADERS: ReadonlySet<string> = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'date',
  'keep-alive',
  'location',
  'server',
  'set-cookie',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export type HeaderSide = 'request' | 'response';

/** Why a header cannot be written, or null. An empty value takes the header away. The value is never repeated: it may be a secret. */
export function headerFault(side: HeaderSide, [name, value]: Header): string | null {
  if (!/^[A-Za-z][A-Za-z0-9-]{0,63}$/.test(name)) return 'a name is letters, digits and -, at most 64';
  const own = side === 'request' ? OWN_REQUEST_HEADERS : OWN_RESPONSE_HEADERS;
  if (own.has(name.toLowerCase()) || /^x-accel-/i.test(name)) return `${name} is the load balancer's own`;
  if (value.length > VALUE_LENGTH_MAX) return `the value of ${name} is longer than ${VALUE_LENGTH_MAX}`;
  const stray = /[^ -~]|[$\\]/u.exec(value);
  if (stray !== null || value !== value.trim()) return `the value of ${name} may have any visible ASCII character but $ and \\`;
  return value.includes('"') && value.includes("'") ? `the value of ${name} has both kinds of quotes` : null;
}
