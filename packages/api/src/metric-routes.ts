import { resolveEndpoint } from '@reactor/config';
import {
  addressText,
  type EndpointConfig,
  endpointCalled,
  POSTED_STALE_WINDOWS,
  type PostedReport,
  postedReports,
  publishedMetrics,
  ReactorError,
  readPostedValues,
  staticBackendId,
  TOPICS,
} from '@reactor/core';
import { type ApiContext, trafficReports } from './context.js';
import { addressOf, backendMetrics, instancesOf, metricsOf } from './endpoint-views.js';
import { type LiveEndpoint, liveEndpoint } from './names.js';
import { quoted } from './offending-value.js';
import { readJson } from './request-form.js';
import { BOTH, ENDPOINT_OF_PATH, json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/** What is measured of an endpoint, and what programs post about it or about one of its backends. */
export const METRIC_ROUTES: readonly Route[] = [
  route('GET', '/endpoints/:endpoint/metrics', showMetrics, {
    summary: 'What is measured of it, per instance',
    gives: shape('Averages'),
    versions: BOTH,
    keeper: ENDPOINT_OF_PATH,
  }),
  route(['POST', 'PUT'], '/endpoints/:endpoint/metrics', postMetrics, {
    summary: 'Post metrics about it; they expire',
    takes: shape('Metrics'),
    gives: shape('MetricsWritten'),
    versions: BOTH,
    keeper: ENDPOINT_OF_PATH,
  }),
  route('GET', '/endpoints/:endpoint/metrics/:backend', showBackendMetrics, {
    summary: 'What is known of one backend',
    gives: shape('Averages'),
    versions: BOTH,
    keeper: ENDPOINT_OF_PATH,
  }),
  route(['POST', 'PUT'], '/endpoints/:endpoint/metrics/:backend', postMetrics, {
    summary: 'Post metrics about one backend; they expire',
    takes: shape('Metrics'),
    gives: shape('MetricsWritten'),
    versions: BOTH,
    keeper: ENDPOINT_OF_PATH,
  }),
];

/** How long after it stopped to count a report is still known, so that `explain` can say that it came too late. */
const KNOWN_WINDOWS = 10;

async function showMetrics(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { name, endpoint, cluster } = await liveEndpoint(request, context);
  const { config } = resolveEndpoint(endpoint.value.document);
  const posted = await postedAbout(name, context);
  return json(metricsOf(cluster, endpoint, config, { reports: await trafficReports(context), posted, nowMs: context.now() }));
}

async function showBackendMetrics(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const live = await liveEndpoint(request, context);
  const { name } = live;
  const { config } = resolveEndpoint(live.endpoint.value.document);
  const backend = backendNamed(request.caller?.instance ?? request.params['backend'] ?? '', live, config);
  const posted = await postedAbout(name, context);
  return json(backendMetrics(name, backend, config, { reports: await trafficReports(context), posted, nowMs: context.now() }));
}

/** Replaces what the same source posted before; `{}` takes it back. */
async function postMetrics(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const values = readPostedValues(readJson(request.body));
  const live = await liveEndpoint(request, context);
  const { name } = live;
  const { config } = resolveEndpoint(live.endpoint.value.document);
  // An instance speaks for itself only.
  const asked = request.caller?.instance ?? request.params['backend'];
  const backend = asked === undefined ? null : backendNamed(asked, live, config);
  const { windowMs } = config.scaling;
  const report = publishedMetrics(name, backend, { atMs: context.now(), by: context.host, values });
  await context.store.publish(report, KNOWN_WINDOWS * windowMs);
  return json({ backend, countsForMs: POSTED_STALE_WINDOWS * windowMs });
}

async function postedAbout(endpoint: string, { store }: ApiContext): Promise<readonly PostedReport[]> {
  return postedReports(await store.latest(TOPICS.postedOf(endpoint))).get(endpoint) ?? [];
}

/** Names that programs reported lately: what a rule asks for of them is not misspelt. */
export async function postedNames(endpoint: string, context: ApiContext): Promise<ReadonlySet<string>> {
  const { cluster } = await context.moment();
  const stored = endpointCalled(cluster, endpoint)?.value.name;
  return new Set(stored === undefined ? [] : (await postedAbout(stored, context)).flatMap(({ values }) => Object.keys(values)));
}

/** A backend by instance id, `address:port`, or an address alone when it is one backend's only. Nobody else's address will do. */
function backendNamed(asked: string, { name, called, cluster }: LiveEndpoint, config: EndpointConfig): string {
  const instances = instancesOf(cluster, name).map((view) => ({ id: view.record.id, address: addressOf(view) ?? '' }));
  const fixed = config.staticInstances.map((one) => ({
    id: staticBackendId(one),
    address: addressText(one.host, one.port),
  }));
  const all = [...instances, ...fixed];
  const exact = all.find(({ id, address }) => id === asked || address === asked);
  if (exact !== undefined) return exact.id;
  const there = all.filter(({ address }) => address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1') === asked);
  if (there.length === 1) return there[0]!.id;
  if (there.length === 0)
    throw new ReactorError('not_found', `${quoted(asked).slice(1, -1)} is not a backend of ${quoted(called)}`);
  throw new ReactorError(
    'request_invalid',
    `${asked} is the address of ${there.length} backends of ${quoted(called)}: say which, as address:port or by its id`,
  );
}
