import type { Backend, NginxConfig, NginxService as Service } from '@reactor/core';
import { aNginxConfig } from '@reactor/testkit';

export interface ServiceParts {
  readonly scheme?: 'http' | 'https';
  readonly host?: string | null;
  readonly path?: string;
  readonly backends?: readonly Backend[];
  readonly redirect?: string | null;
  readonly nginx?: Partial<NginxConfig>;
  readonly windowMs?: number;
}

/** A service on a port; everything else plain unless said. */
export function serviceAt(endpoint: string, port: number, parts: ServiceParts = {}): Service {
  return {
    kind: 'nginx',
    endpoint,
    url: { scheme: parts.scheme ?? 'http', host: parts.host ?? null, port, path: parts.path ?? '/' },
    backends: parts.backends ?? [],
    redirect: parts.redirect ?? null,
    nginx: aNginxConfig(parts.nginx),
    windowMs: parts.windowMs ?? 10_000,
  };
}

export function backendAt(port: number, id = `b${port}`, weight = 1, host = '127.0.0.1'): Backend {
  return { id, host, port, weight };
}
