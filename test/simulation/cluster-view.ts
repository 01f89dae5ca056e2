import { type Cluster, readCluster, type StateView } from '@reactor/core';

/** Views are shared by all daemons, so each is grouped once. */
const grouped = new WeakMap<StateView, Cluster>();

export function clusterOf(view: StateView): Cluster {
  let cluster = grouped.get(view);
  if (cluster === undefined) {
    cluster = readCluster(view);
    grouped.set(view, cluster);
  }
  return cluster;
}
