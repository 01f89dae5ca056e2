import { type Cluster, type DecisionReport, type EndpointRecord, readCluster, TOPICS } from '@reactor/core';
import { configOf } from './daemon-process.js';
import { FOREIGN, type Oracles } from './oracles.js';
import type { World } from './world.js';

/** What is still missing between what is meant and what is; null when nothing is. Looked at after all faults have ended. */
export async function unsettled(world: World, oracles: Oracles): Promise<string | null> {
  const cluster = readCluster(world.store.view(''));
  const decisions = await world.store.latest(TOPICS.decisions);
  for (const machine of world.machines) {
    if (!cluster.hosts.has(machine.id)) return `host ${machine.id} is not part of the cluster`;
    if (machine.balancer.running === null) return `the load balancer of ${machine.id} does not run`;
  }
  if (cluster.leader === null) return 'nobody leads';
  for (const { value: endpoint } of cluster.endpoints.values()) {
    const decision = decisions.get(TOPICS.decision(endpoint.name)) as unknown as DecisionReport | undefined;
    const lacking = endpointLacks(world, cluster, endpoint, decision ?? null);
    if (lacking !== null) return `${endpoint.name} (${endpoint.state}): ${lacking}`;
  }
  return containersLack(world, oracles, cluster);
}

function endpointLacks(world: World, cluster: Cluster, endpoint: EndpointRecord, decision: DecisionReport | null): string | null {
  // Nothing moves while it is paused, wherever it was.
  if (endpoint.state === 'PAUSED' || configOf(endpoint) === null) return null;
  const records = (cluster.instancesOf.get(endpoint.name) ?? []).map(({ value }) => value);
  if (endpoint.state !== 'RUNNING') return records.length === 0 ? null : `${records.length} instances are left`;
  if (decision === null) return 'there is no decision';
  const other = records.find((record) => record.phase !== 'run' || record.endpointUid !== endpoint.uid);
  if (other !== undefined) return `${other.id} is not gone yet (${other.phase})`;
  const unready = records.find(({ id }) => cluster.reports.get(id)?.value.state !== 'ready');
  if (unready !== undefined) return `${unready.id} is ${cluster.reports.get(unready.id)?.value.state ?? 'not reported'}`;
  if (records.length !== decision.record.target) return `${records.length} instances, ${decision.record.sentence}`;
  const ids = records
    .map(({ id }) => id)
    .sort()
    .join(' ');
  for (const machine of world.machines) {
    const service = machine.balancer.running?.services.find((each) => each.endpoint === endpoint.name);
    const served = (service?.backends ?? [])
      .map(({ id }) => id)
      .sort()
      .join(' ');
    if (served !== ids) return `${machine.id} serves [${served}], meant are [${ids}]`;
  }
  return null;
}

/** Every record has its container and, unless its host was removed and came back, every container its record. */
function containersLack(world: World, oracles: Oracles, cluster: Cluster): string | null {
  for (const machine of world.machines) {
    const containers = machine.engine.containers().filter(({ hash }) => hash !== FOREIGN);
    for (const { value: record } of cluster.instances.values()) {
      const endpoint = cluster.endpoints.get(record.endpoint)?.value;
      if (record.host !== machine.id || endpoint?.state === 'PAUSED') continue;
      if (!containers.some(({ instance, status }) => instance === record.id && status === 'running'))
        return `${record.id} has no running container`;
    }
    const stray = containers.find(({ instance }) => !cluster.instances.has(instance) && !oracles.isAbandoned(instance));
    if (stray !== undefined) return `${stray.name} on ${machine.id} belongs to nobody`;
  }
  return null;
}
