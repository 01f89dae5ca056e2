/** Which page the address shows. It is kept behind the `#`, so that the server has one page to serve and none to guess. */

export type PageRoute =
  | { readonly page: 'overview' | 'settings' | 'new' }
  | { readonly page: 'endpoint'; readonly name: string; readonly tab: EndpointTab }
  | { readonly page: 'host'; readonly id: string };

export const ENDPOINT_TABS = ['live', 'decisions', 'configuration', 'log'] as const;
export type EndpointTab = (typeof ENDPOINT_TABS)[number];

/** Whatever is no page is the overview. */
export function pageOf(hash: string): PageRoute {
  const [kind, name, tab] = hash
    .replace(/^#?\/?/, '')
    .split('/')
    .map(decoded);
  if (kind === 'settings' || kind === 'new') return { page: kind };
  if (kind === 'hosts' && name) return { page: 'host', id: name };
  if (kind !== 'endpoints' || !name) return { page: 'overview' };
  return { page: 'endpoint', name, tab: ENDPOINT_TABS.find((each) => each === tab) ?? 'live' };
}

export function hashOf(route: PageRoute): string {
  switch (route.page) {
    case 'overview':
      return '#/';
    case 'endpoint': {
      const place = `#/endpoints/${encodeURIComponent(route.name)}`;
      return route.tab === 'live' ? place : `${place}/${route.tab}`;
    }
    case 'host':
      return `#/hosts/${encodeURIComponent(route.id)}`;
    default:
      return `#/${route.page}`;
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}
