import type { Backend, HaproxyConfig, HaproxyService, UrlScheme } from '@reactor/core';

const HAPROXY: HaproxyConfig = {
  balance: 'roundrobin',
  sticky: false,
  checkUrl: null,
  errorLocation: null,
  connectTimeoutMs: 5_000,
  serverTimeoutMs: 50_000,
  ssl: false,
  sslCertificate: null,
  sslKey: null,
};

export interface ServiceParts {
  readonly scheme?: UrlScheme;
  readonly host?: string | null;
  readonly path?: string;
  readonly backends?: readonly Backend[];
  readonly draining?: readonly Backend[];
  readonly redirect?: string | null;
  readonly haproxy?: Partial<HaproxyConfig>;
}

/** A service on a port; everything else plain unless said. */
export function serviceAt(endpoint: string, port: number, parts: ServiceParts = {}): HaproxyService {
  return {
    kind: 'haproxy',
    endpoint,
    url: { scheme: parts.scheme ?? 'http', host: parts.host ?? null, port, path: parts.path ?? '/' },
    backends: parts.backends ?? [],
    draining: parts.draining ?? [],
    redirect: parts.redirect ?? null,
    haproxy: { ...HAPROXY, ...parts.haproxy },
    windowMs: 10_000,
  };
}

export function backendAt(port: number, id = `b${port}`, weight = 1, host = '127.0.0.1'): Backend {
  return { id, host, port, weight };
}
