import { CLUSTER_ROUTES, DAEMON_ROUTES } from './cluster-routes.js';
import { DECISION_ROUTES } from './decision-routes.js';
import { ENDPOINT_ROUTES } from './endpoint-routes.js';
import { LOG_ROUTES } from './event-log.js';
import { HISTORY_ROUTES } from './history-routes.js';
import { HOLD_ROUTES } from './hold-routes.js';
import { HOST_ROUTES } from './host-routes.js';
import { INSTANCE_ROUTES } from './instance-routes.js';
import { ANY } from './json-schema.js';
import { KEY_ROUTES } from './key-routes.js';
import { LINT_ROUTES } from './lint-routes.js';
import { LIVE_ROUTES } from './live-routes.js';
import { LOGIN_ROUTES } from './login-routes.js';
import { MANAGER_ROUTES } from './manager-routes.js';
import { METADATA_ROUTES } from './metadata-routes.js';
import { METRIC_ROUTES } from './metric-routes.js';
import { NAME_ROUTES } from './name-routes.js';
import { describeApi } from './openapi.js';
import { OUTPUT_ROUTES } from './output-routes.js';
import { PLACEMENT_ROUTES } from './placement-routes.js';
import { json, type Method, type Route, route } from './route.js';
import { SESSION_ROUTES } from './session-routes.js';

const TABLE: readonly Route[] = [
  // Open: it says of every Reactor of this version the same.
  route('GET', '/openapi.json', async (_request, { version }) => json(describeApi(PATHS, version)), {
    summary: 'This description',
    gives: ANY,
    open: true,
  }),
  ...DAEMON_ROUTES,
  ...CLUSTER_ROUTES,
  ...ENDPOINT_ROUTES,
  ...METRIC_ROUTES,
  ...MANAGER_ROUTES,
  ...KEY_ROUTES,
  ...INSTANCE_ROUTES,
  ...NAME_ROUTES,
  ...METADATA_ROUTES,
  ...HOLD_ROUTES,
  ...HISTORY_ROUTES,
  ...HOST_ROUTES,
  ...DECISION_ROUTES,
  ...PLACEMENT_ROUTES,
  ...LINT_ROUTES,
  ...OUTPUT_ROUTES,
  ...SESSION_ROUTES,
  ...LOG_ROUTES,
  ...LOGIN_ROUTES,
  ...LIVE_ROUTES,
];

const ENDPOINT = '/endpoints/:endpoint';

/** What an instance may ask about its own endpoint with its token alone: what 2013 gave to an endpoint's own key. */
const FOR_INSTANCES: ReadonlySet<string> = new Set(
  [
    'state',
    'ips',
    'instances',
    'metrics',
    'metrics/:backend',
    'log',
    'sessions',
    'sessions/:session',
    'metadata',
    'metadata/:key',
  ].map((below) => `${ENDPOINT}/${below}`),
);
/** Where the token says which endpoint is meant, and the key that it may be done. */
const FOR_KEYS: ReadonlySet<string> = new Set([
  ENDPOINT,
  ...['alias', 'rename', 'instances/:instance'].map((below) => `${ENDPOINT}/${below}`),
]);

/** The same route about the endpoint of the instance that asks; none for the others. */
function ofCallers(route: Route): readonly Route[] {
  const caller = FOR_INSTANCES.has(route.path) ? 'token' : FOR_KEYS.has(route.path) ? 'token and key' : null;
  return caller === null ? [] : [{ ...route, path: route.path.replace(ENDPOINT, '/endpoint'), caller }];
}

/** Every path the API answers, with its routes by method. */
export const PATHS: ReadonlyMap<string, ReadonlyMap<Method, Route>> = pathsOf(TABLE);

function pathsOf(table: readonly Route[]): ReadonlyMap<string, ReadonlyMap<Method, Route>> {
  const paths = new Map<string, Map<Method, Route>>();
  for (const route of table.flatMap((each) => [each, ...ofCallers(each)])) {
    const prefixes = route.versions.length === 0 ? [''] : route.versions.map((version) => `/${version}`);
    for (const prefix of prefixes) {
      const path = `${prefix}${route.path}`;
      const methods = paths.get(path) ?? new Map<Method, Route>();
      for (const method of route.methods) methods.set(method, route);
      paths.set(path, methods);
    }
  }
  return paths;
}
