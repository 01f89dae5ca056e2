import { resolveEndpoint, setValue } from '@reactor/config';
import { type ConfigDocument, type EndpointKey, ReactorError } from '@reactor/core';
import { hashEndpointKey } from './auth-key.js';
import type { ApiContext } from './context.js';
import type { Draft } from './endpoint-commit.js';
import { withoutValue } from './endpoint-routes.js';
import { changeDocument } from './endpoint-writes.js';
import { endpointName } from './names.js';
import { readObject } from './request-form.js';
import { json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/** An endpoint's own key: set and cleared by the admin alone, kept as a salted hash in its configuration. */
export const KEY_ROUTES: readonly Route[] = [
  route('POST', '/endpoints/:endpoint/auth_key', postEndpointKey, {
    summary: "Set or clear the endpoint's own key",
    takes: shape('Key'),
    gives: shape('RevisionWritten'),
    revision: 'asked',
  }),
];

async function postEndpointKey(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const name = endpointName(request);
  const text = readObject(request.body, ['auth_key']).get('auth_key');
  if (text !== null && typeof text !== 'string') {
    throw new ReactorError('request_invalid', 'auth_key: expected a string, or null to clear it');
  }
  const key = text === null ? null : await hashEndpointKey(text);
  const draft = (stored: ConfigDocument): Draft => {
    const document = withKey(stored, key);
    const { config, warnings } = resolveEndpoint(document);
    return { document, config, warnings: warnings.map((warning) => warning.message) };
  };
  const { revision } = await changeDocument(context, { name, ifMatch: request.ifMatch, merges: true, draft });
  return json({ revision }, revision);
}

function withKey(stored: ConfigDocument, key: EndpointKey | null): ConfigDocument {
  const parts = [
    ['auth_hash', key?.hash],
    ['auth_salt', key?.salt],
    ['auth_algo', key?.algo],
  ] as const;
  return parts.reduce(
    (document, [name, value]) =>
      value === undefined ? withoutValue(document, 'endpoint', name) : setValue(document, 'endpoint', name, value),
    stored,
  );
}
