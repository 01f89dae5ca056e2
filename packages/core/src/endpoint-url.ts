import type { EndpointUrl } from './model.js';
import { compareText } from './plain-text.js';

/** The URL as one comparable text, default port and path written out. */
export function urlText({ scheme, host, port, path }: EndpointUrl): string {
  if (scheme === 'dns') return `dns://${host ?? ''}`;
  return scheme === 'tcp' ? `tcp://${port}` : `${scheme}://${host ?? ''}:${port}${path}`;
}

/** The TCP port that a load balancer listens on for it; null for dns, which takes none. */
export const portOf = ({ scheme, port }: EndpointUrl): number | null => (scheme === 'dns' ? null : port);

/** What shares a listener of http, and so a certificate. */
export const serverKey = ({ host, port }: Pick<EndpointUrl, 'host' | 'port'>): string => `${host ?? ''}:${port}`;

/** By port, host (none first), path. */
export const byPlace = ({ url: a }: { readonly url: EndpointUrl }, { url: b }: { readonly url: EndpointUrl }): number =>
  a.port - b.port || compareText(a.host ?? '', b.host ?? '') || compareText(a.path, b.path);

/** `host:port`; a host with a colon is an IPv6 address. */
export const addressText = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;
