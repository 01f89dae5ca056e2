import { didYouMean } from '@reactor/config';
import { type Findings, openDraft } from './draft.js';
import { isMap, names, scalar, words } from './value.js';
import type { YamlMap } from './yaml-text.js';

/** Who needs whom, and by what name. */

/** The services with those they depend on before them, else in the order of the file. Circles are mistakes. */
export function inOrder(services: ReadonlyMap<string, YamlMap>, findings: Findings): readonly string[] {
  const order: string[] = [];
  const open: string[] = [];
  const visit = (name: string): void => {
    if (order.includes(name)) return;
    if (open.includes(name)) {
      const circle = [...open.slice(open.indexOf(name)), name].join(' → ');
      findings.mistakes.push(`${name}: depends_on: a circle: ${circle}`);
      return;
    }
    open.push(name);
    for (const other of dependenciesOf(name, services, findings)) visit(other);
    open.pop();
    order.push(name);
  };
  for (const name of services.keys()) visit(name);
  return order;
}

function dependenciesOf(name: string, services: ReadonlyMap<string, YamlMap>, findings: Findings): readonly string[] {
  const draft = openDraft(name, findings);
  const service = services.get(name)!;
  const value = service.get('depends_on');
  if (isMap(value)) {
    const waits = [...value.values()].some(
      (each) => isMap(each) && (scalar(each.get('condition')) ?? 'service_started') !== 'service_started',
    );
    if (waits) draft.note('depends_on', 'conditions: nothing waits; a service asks again until what it needs answers');
  }
  const wanted = value === undefined || value === null ? [] : names(value);
  if (wanted === null) draft.mistake('depends_on', 'expected a list of services');
  const linked = (words(service.get('links') ?? []) ?? []).map((link) => link.split(':', 1)[0] ?? '');
  return [...new Set([...(wanted ?? []), ...linked])].filter((other) => {
    if (services.has(other)) return true;
    const hint = didYouMean(other, services.keys());
    // One that is left out for its profile was told of.
    const leftOut = findings.notes.some((note) => note.service === other && note.key === 'profiles');
    if (!leftOut) draft.mistake('depends_on', `there is no service '${other.slice(0, 80)}'${hint}`);
    return false;
  });
}

/** The names by which a service knows another one: that one's own, and those of `links`. */
export function namesOf(other: string, service: YamlMap): readonly string[] {
  const aliases = (words(service.get('links') ?? []) ?? [])
    .map((link) => link.split(':'))
    .flatMap(([name, alias]) => (name === other && alias !== undefined ? [alias] : []));
  return [...new Set([other, ...aliases])];
}

/** Whether two services share a network. */
export function shareNetwork(one: YamlMap, other: YamlMap): boolean {
  const of = (service: YamlMap): readonly string[] => names(service.get('networks')) ?? ['default'];
  if (scalar(one.get('network_mode')) === 'none') return false;
  return of(one).some((network) => of(other).includes(network));
}
