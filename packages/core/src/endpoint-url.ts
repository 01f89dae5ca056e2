import type { EndpointUrl } from './model.js';

/** The URL as one comparable text, default port and path written out. */
export function urlText({ scheme, host, port, path }: EndpointUrl): string {
  if (scheme === 'dns') return `dns://${host ?? ''}`;
  return scheme === 'tcp' ? `tcp://${port}` : `${scheme}://${host ?? ''}:${port}${path}`;
}

/** The TCP port that a load balancer listens on for it; null for dns, which takes none. */
export const portOf = ({ scheme, port }: EndpointUrl): number | null => (scheme === 'dns' ? null : port);
