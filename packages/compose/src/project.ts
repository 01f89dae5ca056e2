import { basename } from 'node:path';
import { getValue, NO_PLACES, NOTHING_KNOWN, parseEndpointName, setValue, vet } from '@reactor/config';
import { type ConfigDocument, describeError, ReactorError } from '@reactor/core';
import { type Findings, type Note, openDraft } from './draft.js';
import { DROPPED_OF_FILE } from './dropped-keys.js';
import { environmentOf } from './environment.js';
import { interpolate, type Variables } from './interpolation.js';
import { inOrder, namesOf, shareNetwork } from './relations.js';
import { readPort, readService, type Service } from './service.js';
import { isList, isMap, names, scalar } from './value.js';
import type { Volumes } from './volume.js';
import { readYaml, type Yaml, type YamlMap } from './yaml-text.js';

/**
 * A Compose file as endpoints. Pure but for `readFile`, by which the caller says what the files of variables hold.
 *
 *  1. Nothing is guessed silently: what is left out, or means something else here, is in `notes`.
 *  2. With any mistake there are no endpoints: half a project is no project.
 *  3. The order is that of `depends_on`, then that of the file.
 */
export interface ComposeSource {
  readonly text: string;
  /** Named in messages. */
  readonly file: string;
  /** Absolute; what relative paths start from. */
  readonly directory: string;
  readonly home: string | null;
  /** Goes before every endpoint's name, with a dash; null for none. */
  readonly project: string | null;
  /** Of the shell, over those of `.env`. */
  readonly variables: ReadonlyMap<string, string>;
  /** The text of a file of variables, by its absolute path; null when it is not there. */
  readonly readFile: (path: string) => string | null;
}

export interface Imported {
  readonly endpoints: readonly ImportedEndpoint[];
  readonly notes: readonly Note[];
  /** One line each; with any there is no endpoint. */
  readonly mistakes: readonly string[];
}

export interface ImportedEndpoint {
  readonly name: string;
  readonly service: string;
  readonly document: ConfigDocument;
}

/** Each is an endpoint, and each links to the others. */
const SERVICES_MAX = 200;

/** Fails with `config_syntax` or `config_too_large` when the text is no Compose file at all. */
export function importCompose(source: ComposeSource): Imported {
  const findings: Findings = { notes: [], mistakes: [] };
  const file = replaceVariables(readYaml(source.text, source.file), source, findings);
  const services = chosenServices(file, source, findings);
  readFileKeys(file, findings);
  const order = inOrder(services, findings);
  const read = findings.mistakes.length > 0 ? [] : readServices(order, services, file, source, findings);
  const endpoints = linkServices(read, services, source);
  for (const { service, document } of endpoints) check(service, document, findings);
  return { endpoints: findings.mistakes.length > 0 ? [] : endpoints, ...findings };
}

function replaceVariables(value: Yaml, source: ComposeSource, findings: Findings): YamlMap {
  const unset = new Set<string>();
  const variables: Variables = {
    get: (name) => source.variables.get(name),
    missing: (name) => void unset.add(name),
  };
  const replaced = (part: Yaml, place: string): Yaml => {
    if (isMap(part))
      return new Map([...part].map(([key, each]) => [key, replaced(each, place === '' ? key : `${place}.${key}`)]));
    if (isList(part)) return part.map((each) => replaced(each, place));
    if (typeof part !== 'string' || !part.includes('$')) return part;
    const result = interpolate(part, variables);
    if (!result.ok) findings.mistakes.push(`${place}: ${result.fault.message}`);
    return result.ok ? result.value : part;
  };
  const file = replaced(value, '');
  for (const name of unset) findings.notes.push({ service: null, key: name, why: 'the variable is not set and reads as empty' });
  if (!isMap(file) || !isMap(file.get('services'))) {
    throw new ReactorError('config_invalid', `${source.file}: not a Compose file: expected a map with 'services'`);
  }
  return file;
}

function chosenServices(file: YamlMap, source: ComposeSource, findings: Findings): ReadonlyMap<string, YamlMap> {
  const chosen = new Map<string, YamlMap>();
  const all = file.get('services') as YamlMap;
  if (all.size > SERVICES_MAX) {
    throw new ReactorError(
      'config_too_large',
      `${source.file}: ${all.size} services; at most ${SERVICES_MAX} are imported at once`,
    );
  }
  for (const [name, service] of all) {
    const draft = openDraft(name, findings);
    const endpoint = parseEndpointName(endpointName(name, source.project));
    if (!endpoint.ok) draft.mistake('name', endpoint.fault.message);
    else if (!isMap(service)) draft.mistake('service', 'expected a map');
    else if ((names(service.get('profiles')) ?? []).length > 0) {
      draft.note(
        'profiles',
        'not imported: Compose starts it only when its profile is asked for; take the line away to import it',
      );
    } else chosen.set(name, service);
  }
  if (chosen.size === 0 && findings.mistakes.length === 0) findings.mistakes.push(`${source.file}: no service to import`);
  return chosen;
}

const endpointName = (service: string, project: string | null): string => (project === null ? service : `${project}-${service}`);

function readFileKeys(file: YamlMap, findings: Findings): void {
  for (const [key, value] of file) {
    if (['services', 'volumes', 'name', 'version'].includes(key) || key.startsWith('x-') || value === null) continue;
    if (key === 'include') {
      findings.mistakes.push("include: is not followed; write the merged file with 'docker compose config' and import that");
    } else findings.notes.push({ service: null, key, why: DROPPED_OF_FILE[key] ?? 'not known, left out' });
  }
}

function readServices(
  order: readonly string[],
  services: ReadonlyMap<string, YamlMap>,
  file: YamlMap,
  source: ComposeSource,
  findings: Findings,
): readonly Service[] {
  const ports = new Map(order.map((name) => [name, readPort(name, services.get(name)!, findings)]));
  const taken = new Map<number, 'http' | 'tcp'>();
  for (const [name, port] of ports) {
    if (port === null || port.published === null) continue;
    if (taken.has(port.published)) findings.mistakes.push(`${name}: ports: ${port.published} is published by two services`);
    taken.set(port.published, port.protocol);
  }
  const volumes = volumesOf(file, source, findings);
  return order.map((name) =>
    readService(name, services.get(name)!, ports.get(name) ?? null, {
      findings,
      volumes,
      taken,
      environmentOf: (service) => environmentOf(service, source, openDraft(name, findings)),
    }),
  );
}

/** Named as Compose names them, so that what it has put there is found again. */
function volumesOf(file: YamlMap, source: ComposeSource, findings: Findings): Volumes {
  const project =
    source.project ??
    scalar(file.get('name')) ??
    basename(source.directory)
      .toLowerCase()
      .replace(/[^a-z0-9_-]/g, '');
  const volumes = file.get('volumes');
  const named = new Map<string, string>();
  for (const [name, value] of isMap(volumes) ? volumes : []) {
    const settings = isMap(value) ? value : new Map<string, Yaml>();
    const given = scalar(settings.get('name'));
    named.set(name, given ?? (scalar(settings.get('external')) === 'true' ? name : `${project}_${name}`));
    for (const key of settings.keys()) {
      if (key === 'name' || key === 'external' || key === 'labels') continue;
      findings.notes.push({
        service: null,
        key: `volumes.${name}.${key}`,
        why: 'make the volume on each host with it beforehand',
      });
    }
  }
  return { directory: source.directory, home: source.home, named };
}

/** Every service is told the address of all that share a network with it, as in Compose every service finds every other. */
function linkServices(
  read: readonly Service[],
  services: ReadonlyMap<string, YamlMap>,
  { project }: ComposeSource,
): readonly ImportedEndpoint[] {
  const served = read.filter(({ document }) => (getValue(document, 'endpoint', 'url') ?? '') !== '');
  return read.map(({ name, document }) => {
    const service = services.get(name)!;
    const reached = served.filter((other) => other.name !== name && shareNetwork(service, services.get(other.name)!));
    const links = reached.flatMap((other) =>
      namesOf(other.name, service).map((alias) => {
        const endpoint = endpointName(other.name, project);
        return alias === endpoint ? endpoint : `${endpoint}:${alias}`;
      }),
    );
    const own = getValue(document, 'cloud:docker', 'links') ?? '';
    const all = own === '' ? links : [];
    return {
      name: endpointName(name, project),
      service: name,
      document: all.length === 0 ? document : setValue(document, 'cloud:docker', 'links', all.join(', ')),
    };
  });
}

function check(service: string, document: ConfigDocument, findings: Findings): void {
  // What follows from a mistake that was told is no news.
  if (findings.mistakes.some((mistake) => mistake.startsWith(`${service}: `))) return;
  try {
    const { warnings } = vet({ document, places: NO_PLACES, warnings: [] }, NOTHING_KNOWN);
    for (const why of warnings) findings.notes.push({ service, key: 'warning', why });
  } catch (error) {
    findings.mistakes.push(`${service}: ${describeError(error)}`);
  }
}
