import { didYouMean } from '@reactor/config';
import type { ConfigDocument } from '@reactor/core';
import { readContainerKey, setEnvironment } from './container-keys.js';
import { readDeploy, readReplicas } from './deployment.js';
import { type Findings, openDraft } from './draft.js';
import { DROPPED } from './dropped-keys.js';
import { readHealthCheck, readStopGrace } from './health-check.js';
import { readOwnKeys } from './own-keys.js';
import { portOf, type ServicePort, serve } from './service-address.js';
import { scalar } from './value.js';
import type { Volumes } from './volume.js';
import type { Yaml, YamlMap } from './yaml-text.js';

/** One service as an endpoint, all but its links, which need the others. */
export interface Service {
  readonly name: string;
  readonly document: ConfigDocument;
}

export interface Surroundings {
  readonly findings: Findings;
  readonly volumes: Volumes;
  /** The variables of the service, its files read. */
  readonly environmentOf: (service: YamlMap) => ReadonlyMap<string, string>;
  readonly taken: Map<number, 'http' | 'tcp'>;
}

/** Read elsewhere: what orders the services, and what makes their variables. */
const ELSEWHERE = new Set([
  'depends_on',
  'env_file',
  'environment',
  'expose',
  'links',
  'networks',
  'ports',
  'profiles',
  'x-reactor',
]);
const READ = [
  ...ELSEWHERE,
  'command',
  'cpus',
  'deploy',
  'dns',
  'entrypoint',
  'healthcheck',
  'hostname',
  'image',
  'mem_limit',
  'mem_reservation',
  'network_mode',
  'pids_limit',
  'scale',
  'stop_grace_period',
  'user',
  'volumes',
];

/** `port` was read before, for what is published goes first when ports are given out. */
export function readService(name: string, service: YamlMap, port: ServicePort | null, around: Surroundings): Service {
  const draft = openDraft(name, around.findings);
  draft.set('endpoint', 'cloud', 'docker');
  if (port !== null) serve(name, port, around.taken, draft);
  if (scalar(service.get('image')) === null) {
    const why = service.has('build') ? `${DROPPED['build']}` : 'required: the image to run';
    draft.mistake(service.has('build') ? 'build' : 'image', why);
  }
  setEnvironment(around.environmentOf(service), draft);
  for (const [key, value] of service) {
    if (ELSEWHERE.has(key) || (key === 'image' && scalar(value) === null)) continue;
    if (key === 'deploy') readDeploy(value, draft);
    else if (key === 'scale') readReplicas(key, value, draft);
    else if (key === 'healthcheck') readHealthCheck(value, port?.target ?? null, draft);
    else if (key === 'stop_grace_period') readStopGrace(value, draft);
    else if (!readContainerKey(key, value, draft, around.volumes)) leaveOut(key, value, draft);
  }
  const own = service.get('x-reactor');
  if (own !== undefined) readOwnKeys(own, draft);
  adviseRules(draft);
  return { name, document: draft.document() };
}

/** Of a service: what it serves, with what there is to say about it. */
export function readPort(name: string, service: YamlMap, findings: Findings): ServicePort | null {
  const mode = scalar(service.get('network_mode')) ?? '';
  // Without a network of its own there is nothing to publish.
  if (mode === 'none' || mode.startsWith('container:')) return null;
  return portOf(service, openDraft(name, findings));
}

type Draft = ReturnType<typeof openDraft>;

function leaveOut(key: string, value: Yaml, draft: Draft): void {
  if (key === 'extends') {
    draft.mistake(key, "is not followed; write the merged file with 'docker compose config' and import that");
  } else if (DROPPED[key] !== undefined) {
    // An empty list or `false` asks for nothing.
    if (value !== false && value !== null) draft.note(key, DROPPED[key]);
  } else if (!key.startsWith('x-')) draft.note(key, `not known, left out${didYouMean(key, [...READ, ...Object.keys(DROPPED)])}`);
}

function adviseRules(draft: Draft): void {
  const scaling = draft.document()['scaling'] ?? {};
  if (!scaling['rules'] || (scaling['min_instances'] ?? '1') !== (scaling['max_instances'] ?? '1')) return;
  draft.note('x-reactor', 'rules have no room while min_instances and max_instances are the same; set max_instances');
}
