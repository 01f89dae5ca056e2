import type { Backend } from '@reactor/core';

/**
 * What the proxy is to serve, as a whole: the driver always sends all of it, so that nothing depends on what was sent
 * before. It crosses a socket and a restart of either side, so it is plain JSON.
 */

/** Of the document and of the commands; a proxy that speaks another one is retired and followed by a new one. */
export const PROTOCOL = 1;

export interface ProxyDocument {
  readonly protocol: number;
  /** At most one for each port. */
  readonly listeners: readonly Listener[];
}

/** One url. Endpoints that share it share its terms, those of the first by name. */
export interface Listener {
  readonly port: number;
  readonly terms: Terms;
  readonly endpoints: readonly { readonly name: string; readonly windowMs: number }[];
  readonly targets: readonly Target[];
}

/** How clients and backends are brought together. */
export interface Terms {
  /** One client per backend. */
  readonly exclusive: boolean;
  /** A backend that had a session of `disposeMinMs` gets no other. */
  readonly disposable: boolean;
  readonly disposeMinMs: number;
  /** An exclusive backend is kept so long for the address that has just left it. */
  readonly reconnectMs: number;
  /** Networks clients have to come from; empty is everywhere. */
  readonly clientSubnets: readonly string[];
  readonly balance: 'random' | 'leastconn';
}

export interface Target extends Backend {
  readonly endpoint: string;
  /** Gets no new session; those it has are still counted. */
  readonly draining: boolean;
}

export const addressOf = (target: Pick<Target, 'host' | 'port'>): string =>
  target.host.includes(':') ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`;

/** An address outlives an instance: another one may be started on its port. */
export const seatOf = (target: Pick<Target, 'id' | 'host' | 'port'>): string => `${target.id} ${addressOf(target)}`;
