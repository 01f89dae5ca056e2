import type { Cluster } from '@reactor/core';

/** Who is there: managers and endpoints, told by the leader when it begins to lead and whenever one comes or goes. */
export interface Muster {
  note(cluster: Cluster): void;
  /** Another leads. */
  forget(): void;
}

/** More are counted: a line of a log is for people. */
const NAMED = 20;

export function createMuster(tell: (event: string, message: string) => void): Muster {
  const known = new Map<string, ReadonlySet<string>>();
  let last: Cluster | null = null;

  const look = (event: string, what: string, names: readonly string[]): void => {
    const before = known.get(event);
    known.set(event, new Set(names));
    const came = before === undefined ? [] : names.filter((name) => !before.has(name));
    const left = before === undefined ? [] : [...before].filter((name) => !names.includes(name));
    if (before !== undefined && came.length + left.length === 0) return;
    const moves = [
      ...(came.length === 0 ? [] : [`came: ${listed(came)}`]),
      ...(left.length === 0 ? [] : [`left: ${listed(left)}`]),
    ];
    tell(event, [`${what}: ${names.length === 0 ? 'none' : listed(names)}`, ...moves].join('; '));
  };

  return {
    note(cluster) {
      if (cluster === last) return;
      last = cluster;
      const endpoints = [...cluster.endpoints.values()].filter(({ value }) => value.state !== 'REMOVED');
      look('MANAGERS_CHANGED', 'managers', [...cluster.hosts.keys()].sort());
      look('ENDPOINTS_CHANGED', 'endpoints', endpoints.map(({ value }) => value.name).sort());
    },
    forget() {
      known.clear();
      last = null;
    },
  };
}

function listed(names: readonly string[]): string {
  const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
  return `${names.slice(0, NAMED).join(', ')}${more}`;
}
