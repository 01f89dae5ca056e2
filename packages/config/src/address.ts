import { isIP, isIPv4, isIPv6 } from 'node:net';
import { type EndpointUrl, fault, type Parsed, parsed } from '@reactor/core';
import { parsePort } from './key-type.js';
import { quote } from './mistake.js';

/**
 * Host names, URLs and addresses. Each has one spelling that is accepted and what is accepted is an allow-list, because
 * these texts end up in load balancer configurations, where they are not quoted.
 */

const HOST_LENGTH_MAX = 253;
const LABEL_LENGTH_MAX = 63;
const PATH_LENGTH_MAX = 512;
const URL_SHAPE = 'expected http(s)://[host][:port][/path], tcp://PORT or dns://name';
const DEFAULT_PORTS = { http: 80, https: 443 } as const;

/** A host name or IPv4 address, lower-cased. Underscores are accepted: names of internal hosts have them. */
export function parseHost(text: string): Parsed<string> {
  const name = text.toLowerCase();
  if (isIPv4(name)) return parsed(name);
  if (/[^ -~]/.test(name)) return fault(1, `${quote(text)} is not a host name; write international names as xn--…`);
  if (name.startsWith('*.')) return fault(1, `${quote(text)}: wildcard hosts are not supported`);
  const stray = /[^a-z0-9._-]/.exec(name);
  if (stray !== null) return fault(stray.index + 1, `host: character ${quote(stray[0])} not allowed`);
  if (name.length > HOST_LENGTH_MAX) return fault(1, `host name longer than ${HOST_LENGTH_MAX}`);
  if (name.endsWith('.')) return fault(name.length, 'host name with a dot at its end');
  const labels = name.split('.');
  if (labels.includes('')) return fault(1, `${quote(text)} is not a host name: a label is empty`);
  if (labels.some((label) => label.length > LABEL_LENGTH_MAX))
    return fault(1, `host name with a label longer than ${LABEL_LENGTH_MAX}`);
  if (labels.some((label) => label.startsWith('-') || label.endsWith('-'))) {
    return fault(1, `${quote(text)} is not a host name: a label starts or ends with '-'`);
  }
  // What ends in a number is an address to every resolver, and not the one it looks like: 127.1 is 127.0.0.1.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1)!))
    return fault(1, `${quote(text)} is not an IPv4 address; write all four numbers`);
  return parsed(name);
}

/** As parseHost, but as RFC 1123 wants it for a machine's own name: no underscores. */
export function parseHostname(text: string): Parsed<string> {
  const host = parseHost(text);
  return host.ok && !text.includes('_') ? parsed(text) : fault(1, `${quote(text)} is not a host name`);
}

export function parseIp(text: string): Parsed<string> {
  return isIP(text) === 0 ? fault(1, `${quote(text)} is not an IP address`) : parsed(text);
}

/**
 * `http(s)://[host][:port][/path]`, raw and not as a browser would mend it (the path is kept as written, `/` when there is
 * none); `tcp://PORT` or `tcp://:PORT`; `dns://name`.
 */
export function parseUrl(text: string): Parsed<EndpointUrl> {
  const odd = /[\p{Cc}\p{Cf}\p{Z}]/u.exec(text);
  if (odd !== null) return fault(odd.index + 1, `${quote(text)}: ${URL_SHAPE}, without blanks or control characters`);
  const other = /^(tcp|dns):\/\/(.*?)\/?$/i.exec(text);
  if (other !== null) return other[1]!.toLowerCase() === 'tcp' ? parseTcp(other[2]!) : parseDns(other[2]!);
  return parseHttp(text);
}

const TCP_COLUMN = 'tcp://'.length + 1;

function parseTcp(text: string): Parsed<EndpointUrl> {
  const host = /^([^:]+):[0-9]+$/.exec(text);
  if (host !== null) return fault(TCP_COLUMN, `${quote(host[1]!)}: tcp listens on all addresses; expected tcp://PORT`);
  const port = parsePort(text.replace(/^:/, ''));
  if (!port.ok) return fault(TCP_COLUMN, `tcp://${text}: ${port.fault.message}, as in tcp://5432`);
  return parsed({ scheme: 'tcp', host: null, port: port.value, path: '/' });
}

function parseDns(text: string): Parsed<EndpointUrl> {
  if (text === '') return fault(TCP_COLUMN, 'a name is missing; expected dns://name');
  const name = parseHost(text);
  if (!name.ok) return fault(TCP_COLUMN + name.fault.column - 1, name.fault.message);
  if (isIPv4(name.value)) return fault(TCP_COLUMN, `${quote(text)} is an address; expected dns://name`);
  return parsed({ scheme: 'dns', host: name.value, port: 0, path: '/' });
}

function parseHttp(text: string): Parsed<EndpointUrl> {
  const match = /^(https?):\/\/(\[[^\]]*\]|[^/:?#@[\]]*)(?::([^/?#@]*))?(\/.*)?$/i.exec(text);
  if (match === null) return fault(1, `${quote(text)}: ${URL_SHAPE}`);
  const scheme = match[1]!.toLowerCase() as keyof typeof DEFAULT_PORTS;
  const hostText = match[2]!;
  const hostColumn = scheme.length + '://'.length + 1;
  const host = hostText === '' ? null : parseUrlHost(hostText);
  if (host !== null && !host.ok) return fault(hostColumn + host.fault.column - 1, host.fault.message);

  const port = match[3] === undefined ? parsed(DEFAULT_PORTS[scheme]) : parsePort(match[3]);
  if (!port.ok) return fault(hostColumn + hostText.length + 1, `${port.fault.message} after ':'`);

  const path = match[4] ?? '/';
  const wrong = pathFault(path);
  if (wrong !== null) return fault(text.length - path.length + wrong.column, wrong.message);
  return parsed({ scheme, host: host === null ? null : host.value, port: port.value, path });
}

/** A name, an IPv4 address, or an IPv6 address, whose brackets stay. */
function parseUrlHost(text: string): Parsed<string> {
  if (!text.startsWith('[')) return parseHost(text);
  return isWholeIPv6(text.slice(1, -1)) ? parsed(text.toLowerCase()) : fault(1, `${quote(text)} is not an IPv6 address`);
}

/** Without a zone (`fe80::1%eth0`), which means something on one host only and is no part of an address elsewhere. */
const isWholeIPv6 = (text: string): boolean => isIPv6(text) && !text.includes('%');

function pathFault(path: string): { readonly column: number; readonly message: string } | null {
  if (path.length > PATH_LENGTH_MAX) return { column: 1, message: `path longer than ${PATH_LENGTH_MAX}` };
  // No %XX either: the load balancer compares decoded paths, so an encoded one would never match.
  const stray = /[^A-Za-z0-9._~!*()+,=:@&/-]/u.exec(path);
  if (stray !== null) return { column: stray.index + 1, message: `path: character ${quote(stray[0])} not allowed` };
  if (path.includes('//') || /(^|\/)\.\.?(\/|$)/.test(path)) {
    return { column: 1, message: `path ${quote(path)}: no empty, '.' or '..' segments; no request would match` };
  }
  return null;
}

/** The path a health check asks for; a query is allowed. */
export function parseCheckPath(text: string): Parsed<string> {
  const fits = text.length <= PATH_LENGTH_MAX && /^\/[A-Za-z0-9._~!*()+,=:@&/%?-]*$/.test(text);
  return fits ? parsed(text) : fault(1, `${quote(text)} is not a path; expected one like /health`);
}

/** A health check's path, with or without the method in front of it, as the manual of 2013 has it: `httpchk GET /health`. */
export function parseCheckUrl(text: string): Parsed<string> {
  return parseCheckPath(text.replace(/^(?:httpchk )?(?:GET )?/, ''));
}

/** As `parseRedirect`, or a path of the same site; `CODE` (2013: `%d`) becomes the status. */
export function parseErrorLocation(text: string): Parsed<string> {
  const plain = text.replaceAll('%d', 'CODE');
  const fits = plain.startsWith('/') ? /^\/(?!\/)[A-Za-z0-9._~!&()*+,:=@/?-]{0,1023}$/.test(plain) : parseRedirect(plain).ok;
  return fits ? parsed(plain) : fault(1, `${quote(text)}: http(s) URL or path only`);
}

/** Where to send clients instead; characters that mean something to a load balancer are not in it. */
export function parseRedirect(text: string): Parsed<string> {
  const match = /^https?:\/\/([A-Za-z0-9._-]+)(?::[0-9]{1,5})?(?:[/?#][A-Za-z0-9._~!&()*+,:=@%/?#-]{0,1023})?$/.exec(text);
  const fits = match !== null && parseHost(match[1]!).ok && URL.canParse(text);
  return fits ? parsed(text) : fault(1, `${quote(text)}: http(s) URL only`);
}

/** Whether requests for `redirect` come back to `url`. A URL without a host answers for every name, also that of another machine. */
export function wouldLoop(redirect: string, url: EndpointUrl): boolean {
  const target = new URL(redirect);
  const targetPort =
    target.port === '' ? DEFAULT_PORTS[target.protocol.slice(0, -1) as keyof typeof DEFAULT_PORTS] : Number(target.port);
  return target.hostname === url.host && targetPort === url.port && target.pathname.startsWith(url.path);
}

/** `host` or `host:port`; `[v6]:port` for IPv6. Port null means the endpoint's. */
export function parseStaticInstance(text: string): Parsed<{ readonly host: string; readonly port: number | null }> {
  if (isWholeIPv6(text)) return parsed({ host: text, port: null });
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]+)(?::(.*))?$/.exec(text);
  if (match === null) return fault(1, `${quote(text)} is not host or host:port`);
  const bare = match[1]!.replace(/^\[|\]$/g, '');
  const host = match[1]!.startsWith('[')
    ? isWholeIPv6(bare)
      ? parsed(bare)
      : fault(1, `${quote(text)} is not an IP address`)
    : parseHost(bare);
  if (!host.ok) return host;
  if (match[2] === undefined) return parsed({ host: host.value, port: null });
  const port = parsePort(match[2]);
  return port.ok ? parsed({ host: host.value, port: port.value }) : fault(match[1]!.length + 2, port.fault.message);
}

/** A network as `address/bits`, or one address. */
export function parseSubnet(text: string): Parsed<string> {
  const match = /^([0-9a-fA-F.:]+)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text);
  const family = match === null ? 0 : isIP(match[1]!);
  if (match === null || family === 0) return fault(1, `${quote(text)} is not a network; expected one like 10.0.0.0/8`);
  const most = family === 4 ? 32 : 128;
  const bits = match[2] === undefined ? most : Number(match[2]);
  return bits <= most ? parsed(`${match[1]!.toLowerCase()}/${bits}`) : fault(1, `${quote(text)}: at most /${most}`);
}

export interface ListenAddress {
  /** Empty listens on all interfaces, as it does for Node. */
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `[v6]:port`, or `:port` for all interfaces. Port 0 takes any free one. */
export function parseListen(text: string): Parsed<ListenAddress> {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]*):([^:]*)$/.exec(text);
  if (match === null) return fault(1, `${quote(text)}: expected host:port, or :port for all interfaces`);
  const port = match[2] === '0' ? parsed(0) : parsePort(match[2]!);
  if (!port.ok) return fault(match[1]!.length + 2, port.fault.message);
  const host = parseListenHost(match[1]!);
  return host.ok ? parsed({ host: host.value, port: port.value }) : host;
}

/** The host part of a listen address; '' is all interfaces. */
export function parseListenHost(text: string): Parsed<string> {
  if (text === '') return parsed('');
  const bare = text.replace(/^\[|\]$/g, '');
  return isIPv6(bare) ? parsed(bare) : parseHost(text);
}
