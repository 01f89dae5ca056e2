import { type Circumstances, lint, NO_PLACES, type ReadResult } from '@reactor/config';
import { type ConfigDocument, endpointCalled, roomFor } from '@reactor/core';
import { readConfiguration } from './configuration-body.js';
import type { ApiContext } from './context.js';
import { postedNames } from './metric-routes.js';
import { liveEndpoint } from './names.js';
import { json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { unmaskSecrets } from './secrets.js';
import { CONFIGURATION, shape } from './shapes.js';

/** What is wrong, or hardly meant, in a configuration: of a stored one, and of one that is not stored yet. Changes nothing. */
export const LINT_ROUTES: readonly Route[] = [
  route('POST', '/lint', lintBody, {
    summary: 'What in a configuration is wrong or hardly meant; stores nothing',
    takes: CONFIGURATION,
    gives: shape('Findings'),
    query: ['endpoint'],
  }),
  route('GET', '/endpoints/:endpoint/lint', lintEndpoint, {
    summary: 'What in its configuration is hardly meant, with the cluster at hand',
    gives: shape('Findings'),
  }),
];

/** `endpoint` is whose configuration it would be: its metrics and its instances count, and `***` is its own secret. */
async function lintBody(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const name = request.query.get('endpoint') ?? null;
  const { cluster } = await context.moment();
  const stored = name === null ? null : (endpointCalled(cluster, name)?.value.document ?? null);
  const known = await circumstances(name, context);
  return json({ findings: lint(() => unmasked(readConfiguration(request.body), stored), known) });
}

async function lintEndpoint(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { name, endpoint } = await liveEndpoint(request, context);
  const read = { document: endpoint.value.document, places: NO_PLACES, warnings: [] };
  const known = await circumstances(name, context);
  return json({ findings: lint(() => read, known) });
}

/** What was read, with the stored secrets put back; then the text no longer says what the document does, and has no lines to point at. */
export function unmasked(read: ReadResult, stored: ConfigDocument | null): ReadResult {
  const document = unmaskSecrets(read.document, stored);
  const same = JSON.stringify(document) === JSON.stringify(read.document);
  return same ? read : { ...read, document, places: NO_PLACES };
}

/** What the cluster knows of an endpoint by any of its names; of one that is not there yet nobody can have posted anything. */
export async function circumstances(name: string | null, context: ApiContext): Promise<Circumstances> {
  const { cluster } = await context.moment();
  const stored = name === null ? null : (endpointCalled(cluster, name)?.value.name ?? null);
  return {
    reported: stored === null ? null : await postedNames(stored, context),
    room: ({ container, placement, port, scaling }) =>
      container === null
        ? null
        : roomFor({ endpoint: stored ?? name ?? '', placement, container, port }, cluster, scaling.maxInstances + 1),
  };
}
