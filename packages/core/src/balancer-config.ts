import type { Header } from './http-header.js';

/** The settings of the load balancers, resolved. */

/** What serves an endpoint's url on each host. */
export type BalancerKind = 'nginx' | 'haproxy' | 'dnsmasq' | 'tcp';

export type Balance = 'roundrobin' | 'leastconn' | 'uri' | 'source';

export interface NginxConfig {
  /** Idle connections to the instances per worker; 0 is the driver's own choice. */
  readonly keepalive: number;
  readonly stickySessions: boolean;
  /** What a client is known by: a cookie it is given, or its address. */
  readonly stickyBy: 'cookie' | 'address';
  readonly ssl: boolean;
  /** Both null with `ssl`: a certificate is generated. */
  readonly sslCertificate: string | null;
  readonly sslKey: string | null;
  /** HTTP/2 is spoken, too, with clients that can; of one port either by all of its hosts or by none. */
  readonly http2: boolean;
  /** Requests for http:// of the same host are sent to https. */
  readonly redirectHttp: boolean;
  readonly redirect: string | null;
  /** 0 is no limit. */
  readonly maxBodyBytes: number;
  readonly connectTimeoutMs: number;
  readonly sendTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** 0 closes every connection after its answer. */
  readonly clientKeepaliveMs: number;
  readonly buffering: boolean;
  readonly requestBuffering: boolean;
  readonly requestHeaders: readonly Header[];
  readonly responseHeaders: readonly Header[];
}

export interface HaproxyConfig {
  readonly balance: Balance;
  readonly sticky: boolean;
  /** Path the load balancer itself asks the instances for; null leaves that to the agent's own checks. */
  readonly checkUrl: string | null;
  /** Where clients are sent on errors, `CODE` in it standing for the status; null answers them as haproxy does. */
  readonly errorLocation: string | null;
  readonly connectTimeoutMs: number;
  readonly serverTimeoutMs: number;
  readonly ssl: boolean;
  readonly sslCertificate: string | null;
  readonly sslKey: string | null;
}

export interface TcpConfig {
  /** An instance serves one client at a time; the others wait. */
  readonly exclusive: boolean;
  /** An instance is discarded after a session. */
  readonly disposable: boolean;
  /** Shorter sessions do not use an instance up. */
  readonly disposeMinMs: number;
  /** How long an instance is kept for the client it has served. */
  readonly reconnectMs: number;
  /** Networks that may connect; empty admits all. */
  readonly clientSubnets: readonly string[];
  /** How it chooses among the instances that are free. */
  readonly balance: 'random' | 'leastconn';
}
