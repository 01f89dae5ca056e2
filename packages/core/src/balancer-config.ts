/** The settings of the load balancers beside nginx, resolved. */

/** What serves an endpoint's url on each host. */
export type BalancerKind = 'nginx' | 'haproxy' | 'dnsmasq' | 'tcp';

export type Balance = 'roundrobin' | 'leastconn' | 'uri' | 'source';

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
}
