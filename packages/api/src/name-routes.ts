import { parseEndpointName } from '@reactor/config';
import { endpointCalled, namesOf, ReactorError } from '@reactor/core';
import type { ApiContext } from './context.js';
import { leftBehind } from './endpoint-sources.js';
import { nameEndpoint } from './endpoint-writes.js';
import { TEXT } from './json-schema.js';
import { endpointName } from './names.js';
import { readWord } from './request-form.js';
import { json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

const NAMING = { takes: TEXT, gives: shape('NamesWritten'), revision: 'asked' } as const;

/**
 * What an endpoint is called. The body is the new name, a JSON string. 2013 renamed by an alias and a removal, which lost
 * the endpoint when the new name was taken; here either is one commit.
 */
export const NAME_ROUTES: readonly Route[] = [
  route(['POST', 'PUT'], '/endpoints/:endpoint/alias', (request, context) => nameIt(request, context, false), {
    summary: 'Give it one more name',
    ...NAMING,
  }),
  route(['POST', 'PUT'], '/endpoints/:endpoint/rename', (request, context) => nameIt(request, context, true), {
    summary: 'Give it another name',
    ...NAMING,
  }),
];

async function nameIt(request: RouteRequest, context: ApiContext, instead: boolean): Promise<Reply> {
  const name = endpointName(request);
  const given = parseEndpointName(readWord(request.body, 'the new name'));
  if (!given.ok) throw new ReactorError('request_invalid', given.fault.message);
  const { revision } = await nameEndpoint(context, name, given.value, { instead, ifMatch: request.ifMatch });
  const { cluster } = await context.moment();
  const endpoint = endpointCalled(cluster, given.value);
  const names = endpoint === null ? [] : namesOf(cluster, endpoint.value.name);
  return json({ names, warnings: instead ? leftBehind(name, cluster) : [], revision }, revision);
}
