import { copy, copyCores } from './container-keys.js';
import type { Draft } from './draft.js';
import { DROPPED_OF_DEPLOY } from './dropped-keys.js';
import { below, isMap, scalar, words } from './value.js';
import type { Yaml } from './yaml-text.js';

/** `deploy` of a service: how many, with how much, and where. */
export function readDeploy(value: Yaml, draft: Draft): void {
  if (!isMap(value)) {
    if (value !== null) draft.mistake('deploy', 'expected a map');
    return;
  }
  for (const [key, part] of value) {
    const known = DROPPED_OF_DEPLOY[key];
    if (key === 'replicas') readReplicas('deploy.replicas', part, draft);
    else if (key === 'resources') readResources(part, draft);
    else if (key === 'placement') readPlacement(part, draft);
    else if (key === 'mode') readMode(part, draft);
    else if (known !== undefined) draft.note(`deploy.${key}`, known);
    else if (!key.startsWith('x-')) draft.note(`deploy.${key}`, 'not known, left out');
  }
}

/** Exactly so many, until `x-reactor` gives the rules room. */
export function readReplicas(key: string, value: Yaml, draft: Draft): void {
  const count = scalar(value) ?? '';
  if (!/^[0-9]{1,5}$/.test(count)) {
    draft.mistake(key, `'${count.slice(0, 80)}' is not a number of instances`);
    return;
  }
  draft.set('scaling', 'min_instances', String(Number(count)));
  draft.set('scaling', 'max_instances', String(Number(count)));
}

function readMode(value: Yaml, draft: Draft): void {
  const mode = scalar(value) ?? '';
  if (mode !== 'replicated') draft.note('deploy.mode', `'${mode.slice(0, 80)}': give the count with replicas or x-reactor`);
}

function readResources(value: Yaml, draft: Draft): void {
  const [limits, reservations] = [below(value, 'limits'), below(value, 'reservations')];
  for (const [key, part] of isMap(limits) ? limits : []) {
    const name = `deploy.resources.limits.${key}`;
    if (key === 'cpus') copyCores(name, part, draft);
    else if (key === 'memory') copy(name, part, draft, 'mem_limit');
    else if (key === 'pids') copy(name, part, draft, 'pids_limit');
    else draft.note(name, 'not known, left out');
  }
  for (const [key, part] of isMap(reservations) ? reservations : []) {
    const name = `deploy.resources.reservations.${key}`;
    if (key === 'memory') copy(name, part, draft, 'mem_reservation');
    else if (key === 'cpus')
      draft.note(name, 'processors are not promised; say how many instances fit a host with x-reactor: slots');
    else draft.note(name, 'not supported, left out');
  }
}

/** What Swarm calls a property of a node, as Reactor calls it. */
const NODE_PROPERTIES: Readonly<Record<string, string>> = {
  'node.hostname': 'node',
  'node.platform.arch': 'architecture',
  'node.platform.os': 'ostype',
};

function readPlacement(value: Yaml, draft: Draft): void {
  for (const [key, part] of isMap(value) ? value : []) {
    if (key === 'constraints') readConstraints(words(part), draft);
    else if (key === 'preferences') draft.note('deploy.placement.preferences', 'instances are spread over the hosts anyway');
    else draft.note(`deploy.placement.${key}`, 'not supported; instances are spread over the hosts anyway');
  }
}

function readConstraints(all: readonly string[] | null, draft: Draft): void {
  const name = 'deploy.placement.constraints';
  if (all === null) {
    draft.mistake(name, 'expected a list');
    return;
  }
  const kept = all.flatMap((text) => {
    const [, property = '', operator = '', wanted = ''] = /^\s*([\w.-]+)\s*(==|!=)\s*(.*?)\s*$/.exec(text) ?? [];
    const label = /^(?:node|engine)\.labels\.(.+)$/.exec(property)?.[1] ?? NODE_PROPERTIES[property];
    if (label !== undefined) return [`${label}${operator}${wanted}`];
    draft.note(name, `'${text.slice(0, 80)}': only labels, hostname and platform of a host are known`);
    return [];
  });
  if (kept.length > 0) draft.set('cloud:docker', 'constraints', kept.join(', '));
}
