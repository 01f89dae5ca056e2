import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Founding, type FoundingContext, foundEndpoints, isNewCluster } from '@reactor/api';
import { getValue, parseEndpointName, readDocument, resolveEndpoint, setValue } from '@reactor/config';
import { type ConfigDocument, describeError, type LogLevel, ReactorError } from '@reactor/core';

/**
 * The endpoints that publish the API when a cluster is founded: one per file `NAME.conf` of a directory. A mistake in one
 * keeps all of them from being created, and nothing else; it is told, and the next start looks again.
 */
export interface DefaultEndpointsOptions extends FoundingContext {
  readonly directory: string;
  /** Where the API listens. */
  readonly api: { readonly host: string; readonly port: number };
  readonly log: (level: LogLevel, message: string) => void;
}

/** Each takes part in one commit. */
const FILES_MAX = 20;
/** What stands for the API in the files that are shipped. */
const API = { host: 'localhost', port: '8080' } as const;
/** Listening there is listening on localhost, too. */
const COVERS_LOCALHOST: readonly string[] = ['', '0.0.0.0', '::', '127.0.0.1', 'localhost'];

export async function createDefaultEndpoints(options: DefaultEndpointsOptions): Promise<void> {
  const { directory, log } = options;
  if (!(await isNewCluster(options.store))) return;
  let endpoints: readonly Founding[];
  try {
    endpoints = readDefaultEndpoints(directory, options.api);
  } catch (error) {
    log('error', `the default endpoints are not created: ${describeError(error)}`);
    return;
  }
  if (!(await foundEndpoints(options, endpoints))) return;
  const names = endpoints.map(({ name }) => name).join(', ');
  log('info', `the cluster is new, so these endpoints were created from ${directory}: ${names}; 'reactor unmanage' removes them`);
}

/** Fails with what is wrong with the first bad file. */
export function readDefaultEndpoints(directory: string, api: DefaultEndpointsOptions['api']): readonly Founding[] {
  const files = readdirSync(directory)
    .filter((file) => file.endsWith('.conf'))
    .sort();
  if (files.length > FILES_MAX) throw new ReactorError('config_invalid', `${directory} has more than ${FILES_MAX} files`);
  return files.map((file) => {
    const source = join(directory, file);
    const name = parseEndpointName(file.slice(0, -'.conf'.length));
    if (!name.ok) throw new ReactorError('config_invalid', `${source}: ${name.fault.message}`);
    const { document, places } = readDocument(readFileSync(source), { source });
    if (resolveEndpoint(document, places).config.url === null) {
      throw new ReactorError('config_invalid', `${source}: endpoint.url: required`);
    }
    return { name: name.value, document: withApi(document, api) };
  });
}

function withApi(document: ConfigDocument, { host, port }: DefaultEndpointsOptions['api']): ConfigDocument {
  const of = (key: string) => getValue(document, 'endpoint', key);
  if (of('static_instances') !== API.host || of('port') !== API.port) return document;
  const there = setValue(document, 'endpoint', 'port', String(port));
  return COVERS_LOCALHOST.includes(host) ? there : setValue(there, 'endpoint', 'static_instances', host);
}
