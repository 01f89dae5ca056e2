import { ReactorError } from '@reactor/core';

/** Where a daemon listens unless told otherwise. */
const DEFAULT_PORT = 8080;

/**
 * The base URL of the API without a trailing slash. Accepts a full URL (`https://h/base`; its port is the scheme's own),
 * and the forms of 2013: `host` and `host:port`, which mean http and port 8080. Throws `request_invalid` with one line.
 */
export function parseApiAddress(text: string): string {
  const given = text.trim();
  if (given === '') throw invalid('is empty');
  // First, because every other message repeats the text.
  if (given.includes('@')) throw invalid('contains a user name; give the key with --askpass or REACTOR_PASSWORD');
  if (/\s|\p{Cc}/u.test(given)) throw invalid(`'${JSON.stringify(given).slice(1, -1)}' contains white space`);
  const schemed = /^([a-z][a-z0-9+.-]*):\/\//i.exec(given);
  if (schemed && !/^https?$/i.test(schemed[1] ?? '')) throw invalid(`'${given}' has the scheme ${schemed[1]}`);
  const address = schemed ? given : `http://${bracketed(given)}`;
  const port = /^https?:\/\/(?:\[[^\]]*\]|[^:/?#[]*):([^/?#]*)/i.exec(address)?.[1];
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
    throw invalid(`'${given}' has the port '${port}', which is not between 1 and 65535`);
  }
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url === null || url.hostname === '') throw invalid(`'${given}' is not an address`);
  if (url.username !== '' || url.password !== '')
    throw invalid('contains a user name; give the key with --askpass or REACTOR_PASSWORD');
  if (url.search !== '' || url.hash !== '') throw invalid(`'${given}' has a query or a fragment`);
  if (!schemed && port === undefined) url.port = String(DEFAULT_PORT);
  return url.href.replace(/\/+$/, '');
}

/** A bare IPv6 address has colons that are not a port. */
function bracketed(host: string): string {
  return /^[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*$/i.test(host) ? `[${host}]` : host;
}

const invalid = (what: string): ReactorError =>
  new ReactorError('request_invalid', `the API address ${what}; expected http://host:port, host:port or host`);
