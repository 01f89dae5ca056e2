import { createHash } from 'node:crypto';
import type { Backend, Cluster } from '@reactor/core';

/**
 * Which of an exclusive endpoint's backends are this host's to give to clients. An exclusive backend has one client in the
 * whole cluster; that holds without asking anybody, whatever host, daemon or link fails, because one load balancer alone
 * ever connects to it: that of the host it runs on. What runs on no host of ours is dealt out among the hosts that are
 * alive; only while those change may two hosts take it for theirs, until the sessions of the former one have ended.
 */
export function exclusiveShare(backends: readonly Backend[], cluster: Cluster, host: string): readonly Backend[] {
  return backends.filter(({ id }) => {
    const instance = cluster.instances.get(id)?.value;
    return (instance?.host ?? dealtTo(id, cluster)) === host;
  });
}

/** The host with the highest draw: of a changed set of hosts only the changed ones' shares move. */
function dealtTo(id: string, cluster: Cluster): string | null {
  const draws = [...cluster.hosts.keys()].map((host) => ({
    host,
    draw: createHash('sha256').update(`${host} ${id}`).digest('hex'),
  }));
  return draws.sort((a, b) => (a.draw < b.draw ? 1 : -1))[0]?.host ?? null;
}
