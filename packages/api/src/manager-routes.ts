import { checkManager, writeIni } from '@reactor/config';
import { type At, type Json, KEYS, type ManagerConfigRecord, ReactorError } from '@reactor/core';
import { readConfiguration } from './configuration-body.js';
import type { ApiContext } from './context.js';
import { liveHosts } from './host-views.js';
import { checkIfMatch } from './if-match.js';
import { orNull } from './json-schema.js';
import { managerName } from './names.js';
import { quoted } from './offending-value.js';
import { BOTH, json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { CONFIGURATION, INI, shape } from './shapes.js';

/** Managers, 2013's word for the daemons: those that are alive, and the configurations given to them through the cluster. */
export const MANAGER_ROUTES: readonly Route[] = [
  route('GET', '/managers/configs', listConfigs, {
    summary: 'Managers that are given a configuration',
    gives: shape('Names'),
    versions: BOTH,
  }),
  route('GET', '/managers/configs/:manager', showConfig, {
    summary: 'The configuration given to a manager',
    gives: [shape('Configuration'), INI],
    revision: 'shown',
    versions: BOTH,
    query: ['format'],
  }),
  route(['POST', 'PUT'], '/managers/configs/:manager', putConfig, {
    summary: 'Give a manager a configuration',
    takes: CONFIGURATION,
    gives: shape('Written'),
    revision: 'asked',
    versions: BOTH,
  }),
  route('DELETE', '/managers/configs/:manager', deleteConfig, {
    summary: 'Take it away again',
    revision: 'asked',
    versions: BOTH,
  }),
  route('GET', '/managers/active', showManagers, { summary: 'Managers that are alive', gives: shape('Names'), versions: BOTH }),
  route('GET', '/managers/active/:manager', showManager, {
    summary: 'One of them; null when it is not alive',
    gives: orNull(shape('Manager')),
    versions: BOTH,
  }),
];

/** Each daemon looks at its own only; many more than there can be hosts. */
const CONFIGS_LIMIT = 10_000;

async function listConfigs(_request: RouteRequest, context: ApiContext): Promise<Reply> {
  return json([...(await context.moment()).cluster.managerConfigs.keys()].sort());
}

async function showConfig(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const name = managerName(request);
  const format = request.query.get('format') ?? 'json';
  if (format !== 'json' && format !== 'ini') {
    throw new ReactorError('request_invalid', `format: expected json or ini, got ${quoted(format)}`);
  }
  const stored = (await context.moment()).cluster.managerConfigs.get(name);
  if (stored === undefined) throw new ReactorError('not_found', `no configuration for a manager ${quoted(name)}`);
  const { document } = stored.value;
  if (format === 'json') return json(document, stored.revision);
  return { kind: 'text', type: 'text/plain; charset=utf-8', body: writeIni(document), revision: stored.revision };
}

/** Creates or replaces, as 2013 did. */
async function putConfig(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const name = managerName(request);
  const read = readConfiguration(request.body);
  const { warnings } = checkManager(read.document, read.places);
  const { cluster } = await context.moment();
  const stored = cluster.managerConfigs.get(name);
  checkIfMatch(request.ifMatch, stored?.revision ?? null, `the configuration of ${quoted(name)}`);
  if (stored === undefined && cluster.managerConfigs.size >= CONFIGS_LIMIT) {
    throw new ReactorError('too_large', `there are ${CONFIGS_LIMIT} configurations of managers already`);
  }
  const revision = await commit(context, name, stored, { document: read.document });
  const absent = cluster.hosts.has(name) ? [] : [`no manager ${quoted(name)} is alive; it takes this up when it starts`];
  return json({ warnings: [...[...read.warnings, ...warnings].map(({ message }) => message), ...absent], revision }, revision);
}

/** Fine when absent. */
async function deleteConfig(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const name = managerName(request);
  const stored = (await context.moment()).cluster.managerConfigs.get(name);
  checkIfMatch(request.ifMatch, stored?.revision ?? null, `the configuration of ${quoted(name)}`);
  if (stored !== undefined) await commit(context, name, stored, null);
  return json({});
}

async function commit(
  context: ApiContext,
  name: string,
  stored: At<ManagerConfigRecord> | undefined,
  record: ManagerConfigRecord | null,
): Promise<number> {
  const key = KEYS.managerConfig(name);
  const result = await context.store.commit({
    expect: [{ key, revision: stored?.revision ?? 0 }],
    write: [{ key, value: record as unknown as Json }],
  });
  if (result.kind === 'committed') return result.revision;
  throw new ReactorError(
    'conflict',
    `the configuration of ${quoted(name)} was changed by somebody else meanwhile; read it again`,
  );
}

async function showManagers(_request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { cluster } = await context.moment();
  return json(liveHosts(cluster).map((host) => host.id));
}

/** As 2013: one that is not alive is `null`, not an error. */
async function showManager(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const id = managerName(request);
  const { cluster } = await context.moment();
  const host = cluster.hosts.get(id)?.value;
  if (host === undefined) return json(null);
  return json({
    name: host.name,
    keys: [],
    loadbalancers: host.balancers ?? [],
    clouds: host.dockerError === null ? ['docker'] : [],
    leader: cluster.leader?.value.host === id,
  });
}
