import { brakeOf, describeError, evaluateJson, ReactorError, serves, viewInstance } from '@reactor/core';
import { type ApiContext, trafficByHost } from './context.js';
import { hostRows } from './host-views.js';
import { lines, textOf } from './json-schema.js';
import { isAway } from './last-view.js';
import { quoted } from './offending-value.js';
import { readObject, readText } from './request-form.js';
import { BOTH, json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { changeSettings, setAuthKey } from './settings.js';
import { shape } from './shapes.js';

/** The cluster as a whole: its daemons, its settings, and `evaluate`, which needs none of it. */
export const CLUSTER_ROUTES: readonly Route[] = [
  route('GET', '/info', showInfo, { summary: 'The cluster at a glance', gives: shape('Info') }),
  route('GET', '/url', showUrl, { summary: 'Where users reach the API', gives: shape('Url') }),
  route('POST', '/url', postUrl, { summary: 'Say where users reach the API', takes: shape('Url'), gives: shape('Url') }),
  route('POST', '/auth_key', postAuthKey, { summary: 'Set or clear the API key', takes: shape('Key'), versions: BOTH }),
  // A stub in 2013 already; old clients ask for it.
  route('GET', '/domain', async () => json({ domain: null }), {
    summary: 'A stub of 2013',
    gives: shape('Domain'),
    versions: ['v1.0'],
  }),
  route('POST', '/evaluate', postEvaluate, {
    summary: 'Work out rules against readings, a line each',
    takes: [shape('Reading'), lines(shape('Reading')), textOf('text/plain')],
    gives: lines(shape('Evaluation')),
  }),
];

/** The version of the HTTP interface, as 2013 numbered it. */
const INTERFACE_VERSION = '1.1';

export const DAEMON_ROUTES: readonly Route[] = [
  route('GET', '/', async (_request, { version }) => json({ version: INTERFACE_VERSION, reactor: version }), {
    summary: 'Which version answers',
    gives: shape('Version'),
    versions: [],
    open: true,
  }),
  // The status says only whether the process works: restarting it because the state is away would help nobody.
  route('GET', '/healthz', async (_request, { health }) => json({ ok: true, problems: health().problems }), {
    summary: 'Whether the process works',
    gives: shape('Health'),
    versions: [],
    open: true,
  }),
  route('GET', '/readyz', showReadiness, {
    summary: 'Whether the daemon can do its work',
    gives: shape('Health'),
    statuses: [200, 503],
    versions: [],
    open: true,
  }),
  route('GET', '/metrics', showPrometheus, { summary: 'Figures for Prometheus', gives: textOf('text/plain'), versions: [] }),
];

// ----------------------------------------------------------------------------------------------------------------- daemon

async function showReadiness(_request: RouteRequest, { health }: ApiContext): Promise<Reply> {
  const { ok, problems } = health();
  return { kind: 'json', status: ok ? 200 : 503, body: { ok, problems } };
}

/** What the daemon counts itself is worth most while the state is away. */
function nullWhileAway(error: unknown): null {
  if (isAway(error)) return null;
  throw error;
}

async function showPrometheus(_request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { registry, refresh } = context.telemetry;
  await refresh(await context.moment().then(({ cluster }) => cluster, nullWhileAway));
  return { kind: 'text', type: registry.contentType, body: await registry.metrics() };
}

// ---------------------------------------------------------------------------------------------------------------- cluster

/** The first four are those of 2013. */
async function showInfo(_request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { cluster } = await context.moment();
  const traffic = await trafficByHost(context);
  const reports = [...traffic.values()];
  const active = reports.flatMap((report) => Object.values(report.endpoints)).reduce((sum, traffic) => sum + traffic.active, 0);
  const endpoints: Record<string, number> = {};
  for (const { value } of cluster.endpoints.values()) {
    if (value.state !== 'REMOVED') endpoints[value.state] = (endpoints[value.state] ?? 0) + 1;
  }
  const serving = [...cluster.instances.values()].map((instance) => viewInstance(instance, cluster, () => 0)).filter(serves);
  return json({
    active,
    instances: serving.length,
    managers: cluster.hosts.size,
    endpoints,
    cluster: cluster.id,
    leader: cluster.leader?.value.host ?? null,
    brake: brakeOf(cluster, context.now())?.words ?? null,
    version: context.version,
    // Without what fills pages: every image and every foreign container.
    hosts: hostRows(cluster, traffic).map(({ images: _images, containers: _containers, ...row }) => row),
  });
}

// --------------------------------------------------------------------------------------------------------------- settings

async function showUrl(_request: RouteRequest, context: ApiContext): Promise<Reply> {
  return json({ url: (await context.moment()).settings.settings.url });
}

async function postUrl(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const given = readObject(request.body, ['url']).get('url');
  if (given !== null && typeof given !== 'string') throw notAUrl(String(given));
  const url = given === null || given === '' ? null : publicUrl(given);
  await changeSettings(context.store, (settings) => (settings.url === url ? null : { ...settings, url }));
  return json({ url });
}

const URL_LIMIT = 2_048;

function publicUrl(text: string): string {
  // The raw text first: the URL parser drops line breaks and tabs without a word.
  const plain = text.length <= URL_LIMIT && /^https?:\/\/[^\s\p{Cc}@?#]+$/iu.test(text);
  if (!plain || !URL.canParse(text)) throw notAUrl(text);
  return text;
}

function notAUrl(text: string): ReactorError {
  return new ReactorError('request_invalid', `url: expected http(s)://host[:port][/path], got ${quoted(text)}`);
}

async function postAuthKey(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const key = readObject(request.body, ['auth_key']).get('auth_key');
  if (key !== null && typeof key !== 'string')
    throw new ReactorError('request_invalid', 'auth_key: expected a string, or null to clear it');
  const reason = key === null ? context.keyNeeded() : null;
  if (reason !== null) throw new ReactorError('request_invalid', reason);
  await setAuthKey(context.store, key);
  context.log('info', key === null ? 'the API key was cleared' : 'the API key was changed');
  return json({});
}

// --------------------------------------------------------------------------------------------------------------- evaluate

/** Each line is worked out in this thread: a thousand take some tens of milliseconds. */
const LINES_LIMIT = 1_000;

/** One JSON object per line in, one answer per line out; changes nothing. The first bad line refuses all, by number. */
async function postEvaluate(request: RouteRequest): Promise<Reply> {
  const lines = readText(request.body, ['application/x-ndjson', 'application/json', 'text/plain'])
    .split('\n')
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '');
  if (lines.length > LINES_LIMIT) throw new ReactorError('too_large', `more than ${LINES_LIMIT} lines`);
  const answers = lines.map(({ line, number }) => {
    try {
      return `${evaluateJson(line)}\n`;
    } catch (error) {
      if (!(error instanceof ReactorError)) throw error;
      throw new ReactorError(error.code, `line ${number}: ${describeError(error)}`, { cause: error, details: { line: number } });
    }
  });
  return { kind: 'text', type: 'application/x-ndjson', body: answers.join('') };
}
