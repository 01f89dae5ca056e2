import { parseEndpointName } from '@reactor/config';
import { type At, type Cluster, type EndpointRecord, endpointCalled, KEYS, ReactorError } from '@reactor/core';
import type { ApiContext } from './context.js';
import { quoted } from './offending-value.js';
import type { RouteRequest } from './route.js';

/** The endpoint name of the path; `request_invalid` unless it is one. */
export function endpointName(request: RouteRequest): string {
  const result = parseEndpointName(request.params['endpoint'] ?? '');
  if (!result.ok) throw new ReactorError('request_invalid', `endpoint ${result.fault.message}`);
  return result.value;
}

/** Host ids and manager names follow one form; anything else cannot be one, and neither can what every object has. */
const MANAGER_FORM = /^(?!(?:constructor|prototype)$)[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

export function managerName(request: RouteRequest): string {
  const name = request.params['manager'] ?? '';
  if (!MANAGER_FORM.test(name)) {
    throw new ReactorError('request_invalid', `${quoted(name)} is not a manager: expected up to 128 of a-z A-Z 0-9 . _ : -`);
  }
  return name;
}

export function hostName(request: RouteRequest): string {
  const name = request.params['host'] ?? '';
  if (MANAGER_FORM.test(name)) return name;
  throw new ReactorError('request_invalid', `${quoted(name)} is not a host: expected up to 128 of a-z A-Z 0-9 . _ : -`);
}

export interface LiveEndpoint {
  /** The name its record is stored under, which its instances and its log carry; the path may have another one. */
  readonly name: string;
  /** The name that was asked for. */
  readonly called: string;
  readonly endpoint: At<EndpointRecord>;
  readonly cluster: Cluster;
}

/** The endpoint of the path as the cluster state has it now; `not_found` when there is none or it was removed. */
export async function liveEndpoint(request: RouteRequest, context: ApiContext): Promise<LiveEndpoint> {
  const name = endpointName(request);
  const { cluster } = await context.moment();
  const endpoint = endpointCalled(cluster, name);
  refuseUnreadable(cluster, name);
  if (endpoint === null) throw noEndpoint(name);
  return { name: endpoint.value.name, called: name, endpoint, cluster };
}

/** What cannot be read is not absent: nobody may take its place. */
export function refuseUnreadable({ unreadable }: Cluster, name: string): void {
  const found = unreadable.find(({ key }) => key === KEYS.endpoint(name) || key === KEYS.name(name));
  if (found === undefined) return;
  throw new ReactorError(
    'record_unreadable',
    `endpoint ${quoted(name)}: what is stored at ${found.key} cannot be read: ${found.why}`,
  );
}

export function noEndpoint(name: string): ReactorError {
  return new ReactorError('not_found', `no endpoint ${quoted(name)}`, { details: { endpoint: name } });
}
