import { urlText } from './endpoint-url.js';
import type { Service } from './ports.js';

/**
 * Endpoints with one URL are served together, by whatever load balancer. A port speaks one protocol: that of the first
 * endpoint by name. Pure; the same services in any order give the same groups.
 */
export interface UrlGroups<S extends Service> {
  /** By URL, members by name. */
  readonly groups: ReadonlyMap<string, readonly S[]>;
  /** Endpoints left out, and why. */
  readonly setAside: Readonly<Record<string, string>>;
  /** By port. */
  readonly schemes: ReadonlyMap<number, SchemeHolder>;
}

export interface SchemeHolder {
  readonly scheme: string;
  readonly endpoint: string;
}

/** `faultOf` says why a service cannot be served at all; null when it can. */
export function groupByUrl<S extends Service>(services: readonly S[], faultOf: (service: S) => string | null): UrlGroups<S> {
  const setAside: Record<string, string> = {};
  const groups = new Map<string, S[]>();
  const schemes = new Map<number, SchemeHolder>();
  for (const service of [...services].sort((a, b) => (a.endpoint < b.endpoint ? -1 : a.endpoint > b.endpoint ? 1 : 0))) {
    const reason = faultOf(service);
    if (reason !== null) {
      setAside[service.endpoint] = reason;
      continue;
    }
    const { port, scheme } = service.url;
    const holder = schemes.get(port) ?? { scheme, endpoint: service.endpoint };
    schemes.set(port, holder);
    if (holder.scheme !== scheme) {
      setAside[service.endpoint] = `port ${port} already serves ${holder.scheme} for endpoint '${holder.endpoint}'`;
      continue;
    }
    const key = urlText(service.url);
    groups.set(key, [...(groups.get(key) ?? []), service]);
  }
  return { groups, setAside, schemes };
}
