import { type Cluster, type HostConfig, isDraining, KEYS, ReactorError, shownName } from '@reactor/core';
import { type ApiContext, trafficByHost } from './context.js';
import { hostRows, knownHosts } from './host-views.js';
import { list } from './json-schema.js';
import { hostName } from './names.js';
import { quoted } from './offending-value.js';
import { readObject } from './request-form.js';
import { json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/** Hosts: what they are, and what the operator wishes for them. A wish is stored; the controller acts on it. */
export const HOST_ROUTES: readonly Route[] = [
  route('GET', '/hosts', showHosts, { summary: 'All hosts', gives: list(shape('Host')) }),
  route(['POST', 'PUT'], '/hosts/:host/state', postState, {
    summary: 'Drain it, or let it take instances again',
    takes: shape('HostAction'),
    gives: shape('HostChange'),
  }),
  route('DELETE', '/hosts/:host', deleteHost, {
    summary: 'It is gone for good: replace what it ran',
    gives: shape('HostChange'),
  }),
];

async function showHosts(_request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { cluster } = await context.moment();
  return json(hostRows(cluster, await trafficByHost(context)));
}

async function postState(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const host = hostName(request);
  const action = readObject(request.body, ['action']).get('action');
  if (action !== 'drain' && action !== 'activate') {
    throw new ReactorError('request_invalid', `action: expected drain or activate, got ${quoted(String(action))}`);
  }
  await wish(context, host, action === 'drain' ? { draining: true, removed: false } : null);
  context.log('info', action === 'drain' ? `host ${host} is to be drained` : `host ${host} is active again`);
  return json(await outlook(context, host));
}

async function deleteHost(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const host = hostName(request);
  await wish(context, host, { draining: false, removed: true });
  context.log('warning', `host ${host} is removed: its instances are replaced`);
  return json(await outlook(context, host));
}

/** Each attempt that fails means that somebody else's wish for this very host, or its coming and going, came first. */
const ATTEMPTS = 20;

async function wish(context: ApiContext, host: string, wanted: HostConfig | null): Promise<void> {
  const key = KEYS.hostConfig(host);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { cluster } = await context.moment();
    refuse(cluster, host, wanted);
    const stored = cluster.hostConfigs.get(host);
    const same = stored?.value.draining === wanted?.draining && stored?.value.removed === wanted?.removed;
    if (same) return;
    // A removal holds only while the host is away; a host that comes back at this moment makes the commit fail.
    const alive = { key: KEYS.host(host), revision: cluster.hosts.get(host)?.revision ?? 0 };
    const result = await context.store.commit({
      expect: [{ key, revision: stored?.revision ?? 0 }, ...(wanted?.removed ? [alive] : [])],
      write: [{ key, value: wanted === null ? null : { ...wanted } }],
    });
    if (result.kind === 'committed') return;
  }
  throw new ReactorError('conflict', `host ${quoted(host)} is being changed by others; try again`);
}

function refuse(cluster: Cluster, host: string, wanted: HostConfig | null): void {
  const known = knownHosts(cluster);
  if (!known.includes(host)) {
    const others = known.length === 0 ? '' : `; there is ${known.slice(0, 10).join(', ')}${known.length > 10 ? ', ...' : ''}`;
    throw new ReactorError('not_found', `no host ${quoted(host)}${others}`);
  }
  if (wanted?.removed && cluster.hosts.has(host)) {
    throw new ReactorError('host_alive', `host ${quoted(host)} is alive: drain it, then stop its reactord, then remove it`);
  }
}

/** The host as it is now, and what keeps the wish from coming true. */
async function outlook(context: ApiContext, host: string): Promise<object> {
  const { cluster } = await context.moment();
  const row = hostRows(cluster, new Map()).find(({ id }) => id === host);
  const there = [...cluster.instances.values()].map(({ value }) => value).filter((instance) => instance.host === host);
  const paused = [...new Set(there.map(({ endpoint }) => endpoint))]
    .sort()
    .filter((name) => cluster.endpoints.get(name)?.value.state === 'PAUSED')
    .map((name) => shownName(cluster, name));
  const leaving = row?.state === 'draining' || row?.state === 'removing';
  const others = [...cluster.hosts.values()].filter(({ value }) => value.id !== host && !isDraining(cluster, value.id));
  const warnings = leaving ? paused.map((name) => `${name} is PAUSED: its instances stay until it is started`) : [];
  if (leaving && there.length > 0 && !others.some(({ value }) => value.slots > 0)) {
    warnings.push('no other host takes instances: they stay until one does');
  }
  return { host, state: row?.state ?? null, instances: row?.instances ?? 0, warnings };
}
