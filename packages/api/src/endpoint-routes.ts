import { type Circumstances, NO_PLACES, setValue, vet, writeIni } from '@reactor/config';
import { type ConfigDocument, type EndpointState, namesOf, ReactorError, TOPICS } from '@reactor/core';
import { readConfiguration } from './configuration-body.js';
import { type ApiContext, trafficReports } from './context.js';
import type { Draft } from './endpoint-commit.js';
import { instanceLists, instanceRows, newestDecision, rowOf, servingAddresses, statusOf } from './endpoint-views.js';
import { changeDocument, createEndpoint, removeEndpoint, setState } from './endpoint-writes.js';
import { list } from './json-schema.js';
import { circumstances, unmasked } from './lint-routes.js';
import { endpointName, liveEndpoint } from './names.js';
import { quoted } from './offending-value.js';
import { readFlag, readObject } from './request-form.js';
import { BOTH, type Body, ENDPOINT_OF_PATH, json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { maskSecrets } from './secrets.js';
import { CONFIGURATION, INI, shape } from './shapes.js';
import { usableConfig } from './usable-config.js';

/** Endpoints: their configuration, their state and what is known of them. */
export const ENDPOINT_ROUTES: readonly Route[] = [
  route('GET', '/endpoints', listEndpoints, {
    summary: 'Names of all endpoints',
    gives: { anyOf: [shape('Names'), list(shape('EndpointRow'))] },
    versions: BOTH,
    query: ['detail'],
  }),
  route('GET', '/endpoints/:endpoint', showEndpoint, {
    summary: 'Its configuration',
    gives: [shape('Configuration'), INI],
    revision: 'shown',
    versions: BOTH,
    query: ['format', 'secrets'],
  }),
  route('PUT', '/endpoints/:endpoint', putEndpoint, {
    summary: 'Create it; PAUSED until it is started',
    takes: CONFIGURATION,
    gives: shape('Written'),
    revision: 'asked',
    versions: BOTH,
  }),
  route('POST', '/endpoints/:endpoint', postEndpoint, {
    summary: 'Replace its configuration',
    takes: CONFIGURATION,
    gives: shape('Written'),
    revision: 'asked',
    versions: BOTH,
  }),
  route('PATCH', '/endpoints/:endpoint', patchEndpoint, {
    summary: 'Change one key of its configuration',
    takes: shape('KeyChange'),
    gives: shape('Written'),
    revision: 'asked',
  }),
  route('DELETE', '/endpoints/:endpoint', deleteEndpoint, {
    summary: 'Take the name away; with the last one the endpoint goes',
    revision: 'asked',
    versions: BOTH,
  }),
  route('GET', '/endpoints/:endpoint/state', showState, {
    summary: 'What it does now',
    gives: shape('EndpointStatus'),
    revision: 'shown',
    versions: BOTH,
    keeper: ENDPOINT_OF_PATH,
  }),
  route(['POST', 'PUT'], '/endpoints/:endpoint/state', postState, {
    summary: 'Start, stop or pause it',
    takes: shape('EndpointAction'),
    gives: shape('StateWritten'),
    revision: 'asked',
    versions: BOTH,
    keeper: ENDPOINT_OF_PATH,
  }),
  route('GET', '/endpoints/:endpoint/ips', showIps, {
    summary: 'Addresses of its instances that get requests',
    gives: shape('Names'),
    versions: BOTH,
    keeper: ENDPOINT_OF_PATH,
  }),
  route('GET', '/endpoints/:endpoint/instances', showInstances, {
    summary: 'Its instances',
    gives: { anyOf: [shape('InstanceLists'), list(shape('InstanceRow'))] },
    query: ['detail'],
    keeper: ENDPOINT_OF_PATH,
  }),
  route('GET', '/instances', listInstances, { summary: 'The instances of all endpoints', gives: list(shape('InstanceRow')) }),
];

// ---------------------------------------------------------------------------------------------------------- configuration

async function listEndpoints({ query }: RouteRequest, context: ApiContext): Promise<Reply> {
  const { cluster } = await context.moment();
  const live = [...cluster.endpoints.values()]
    .filter(({ value }) => value.state !== 'REMOVED')
    .flatMap((endpoint) => namesOf(cluster, endpoint.value.name).map((name) => ({ name, endpoint })))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (!readFlag(query, 'detail')) return json(live.map(({ name }) => name));
  const decisions = await context.store.latest(TOPICS.decisions);
  return json(
    live.map(({ name, endpoint }) => {
      const stored = endpoint.value.name;
      return { ...rowOf(cluster, endpoint, newestDecision(cluster, stored, decisions, TOPICS.decision(stored))), name };
    }),
  );
}

async function showEndpoint(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const format = request.query.get('format') ?? 'json';
  if (format !== 'json' && format !== 'ini') {
    throw new ReactorError('request_invalid', `format: expected json or ini, got ${quoted(format)}`);
  }
  const clear = readFlag(request.query, 'secrets');
  const { endpoint } = await liveEndpoint(request, context);
  const { document } = endpoint.value;
  const shown = clear ? document : maskSecrets(document);
  if (format === 'json') return json(shown, endpoint.revision);
  return { kind: 'text', type: 'text/plain; charset=utf-8', body: writeIni(shown), revision: endpoint.revision };
}

async function putEndpoint(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const name = endpointName(request);
  const draft = draftReader(request.body, await circumstances(name, context));
  const { revision, warnings } = await createEndpoint(context, name, draft(null), request.ifMatch);
  return json({ warnings, revision }, revision);
}

async function postEndpoint(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const name = endpointName(request);
  const draft = draftReader(request.body, await circumstances(name, context));
  const { revision, warnings } = await changeDocument(context, { name, ifMatch: request.ifMatch, merges: false, draft });
  return json({ warnings, revision }, revision);
}

/** Reads a configuration once; the answer makes a draft of it against what is stored. */
function draftReader(body: Body, known: Circumstances): (stored: ConfigDocument | null) => Draft {
  const read = readConfiguration(body);
  return (stored) => {
    const whole = unmasked(read, stored);
    return { document: whole.document, ...vet(whole, known) };
  };
}

async function patchEndpoint(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const name = endpointName(request);
  const fields = readObject(request.body, ['section', 'key', 'value']);
  const [section, key, value] = [fields.get('section'), fields.get('key'), fields.get('value')];
  if (typeof section !== 'string' || typeof key !== 'string' || (typeof value !== 'string' && value !== null)) {
    throw new ReactorError(
      'request_invalid',
      'section and key: expected strings; value: expected a string, or null to unset the key',
    );
  }
  const known = await circumstances(name, context);
  const draft = (stored: ConfigDocument): Draft => {
    const changed = value === null ? withoutValue(stored, section, key) : setValue(stored, section, key, value);
    const whole = unmasked({ document: changed, places: NO_PLACES, warnings: [] }, stored);
    return { document: whole.document, ...vet(whole, known) };
  };
  const { revision, warnings } = await changeDocument(context, { name, ifMatch: request.ifMatch, merges: true, draft });
  return json({ warnings, revision }, revision);
}

export function withoutValue(document: ConfigDocument, section: string, key: string): ConfigDocument {
  const name = key.toLowerCase();
  const sections = Object.entries(document).map(([each, values]) => {
    if (each !== section) return [each, values] as const;
    return [each, Object.fromEntries(Object.entries(values).filter(([other]) => other !== name))] as const;
  });
  return Object.fromEntries(sections);
}

async function deleteEndpoint(request: RouteRequest, context: ApiContext): Promise<Reply> {
  await removeEndpoint(context, endpointName(request), request.ifMatch);
  return json({});
}

// ------------------------------------------------------------------------------------------------------------------ state

const ACTIONS: ReadonlyMap<string, Exclude<EndpointState, 'REMOVED'>> = new Map([
  ['start', 'RUNNING'],
  ['stop', 'STOPPED'],
  ['pause', 'PAUSED'],
]);

async function postState(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const name = endpointName(request);
  const action = readObject(request.body, ['action']).get('action');
  const state = typeof action === 'string' ? ACTIONS.get(action.toLowerCase()) : undefined;
  if (state === undefined) {
    throw new ReactorError('request_invalid', `action: expected start, stop or pause, got ${quoted(String(action))}`, {
      details: { unknownAction: String(action) },
    });
  }
  const { revision } = await setState(context, name, state, request.ifMatch);
  return json({ state, revision }, revision);
}

async function showState(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { name, endpoint, cluster } = await liveEndpoint(request, context);
  const decision = newestDecision(cluster, name, await context.store.latest(TOPICS.decision(name)), TOPICS.decision(name));
  const config = usableConfig(endpoint.value.document);
  return json(statusOf(cluster, endpoint, { config, decision, nowMs: context.now() }), endpoint.revision);
}

async function showIps(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { name, cluster } = await liveEndpoint(request, context);
  return json(servingAddresses(cluster, name));
}

async function showInstances(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const detail = readFlag(request.query, 'detail');
  const { name, cluster } = await liveEndpoint(request, context);
  return json(detail ? instanceRows(cluster, name, await trafficReports(context)) : instanceLists(cluster, name));
}

/** Of every endpoint, removed ones included while something of them is left. */
async function listInstances(_request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { cluster } = await context.moment();
  const reports = await trafficReports(context);
  return json([...cluster.instancesOf.keys()].sort().flatMap((name) => instanceRows(cluster, name, reports)));
}
