import { type Hold, heldWords, ReactorError } from '@reactor/core';
import type { ApiContext } from './context.js';
import { setHold } from './endpoint-writes.js';
import { endpointName, liveEndpoint } from './names.js';
import { quoted } from './offending-value.js';
import { readObject } from './request-form.js';
import { json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';
import { usableConfig } from './usable-config.js';

/** A count held by the operator: `PUT {"count":3,"forMs":1800000}`, null for no end; DELETE hands it back to the rules. */
export const HOLD_ROUTES: readonly Route[] = [
  route('PUT', '/endpoints/:endpoint/hold', putHold, {
    summary: 'Hold its count, for a while or until it is handed back',
    takes: shape('HoldAsked'),
    gives: shape('HoldWritten'),
    revision: 'asked',
  }),
  route('DELETE', '/endpoints/:endpoint/hold', deleteHold, {
    summary: 'Hand its count back to the rules',
    gives: shape('HoldWritten'),
    revision: 'asked',
  }),
];

/** As many as max_instances may name. */
const COUNT_LIMIT = 10_000;
/** A year: what should last longer is a configuration. */
const DURATION_LIMIT_MS = 366 * 86_400_000;

async function putHold(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const name = endpointName(request);
  const fields = readObject(request.body, ['count', 'forMs']);
  const count = wholeNumber('count', fields.get('count'), 0, COUNT_LIMIT);
  const given = fields.get('forMs');
  const forMs = given === null ? null : wholeNumber('forMs', given, 1, DURATION_LIMIT_MS);
  const hold: Hold = { count, untilMs: forMs === null ? null : context.now() + forMs };
  const { revision } = await setHold(context, name, hold, request.ifMatch);
  return json({ hold, warnings: await remarks(request, context, hold), revision }, revision);
}

async function deleteHold(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { revision } = await setHold(context, endpointName(request), null, request.ifMatch);
  return json({ hold: null, warnings: [], revision }, revision);
}

/** What keeps the held count from being reached, so that nobody waits for it. */
async function remarks(request: RouteRequest, context: ApiContext, hold: Hold): Promise<readonly string[]> {
  const { name, endpoint } = await liveEndpoint(request, context);
  const { state, document } = endpoint.value;
  const config = usableConfig(document);
  const [, ...bounds] = config === null ? [] : heldWords(hold, config.scaling, context.now());
  const waits = state === 'RUNNING' ? [] : [`${name} is ${state}: the hold counts once it is started`];
  return [...bounds, ...waits];
}

function wholeNumber(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const got = quoted(JSON.stringify(value) ?? 'nothing');
  throw new ReactorError('request_invalid', `${name}: expected a whole number from ${min} to ${max}, got ${got}`);
}
