/** Each row of the tables of what became of 2013 (packages/api/README.md) against the verbs, routes and keys that there are. */
import { PATHS } from '../packages/api/src/route-table.js';
import { OPTION_NAMES } from '../packages/cli/src/option-table.js';
import { findVerb } from '../packages/cli/src/verb-table.js';
import { SCHEMA } from '../packages/config/src/schema.js';
import { packageNames, sourcesOf, tableIn, textOf } from './source-tree.js';

const STATES = ['same', 'better', 'kept', 'left out', 'not yet'];
const rows = (title: string): readonly (readonly string[])[] => tableIn('packages/api/README.md', title);

const nameIn = (cell = ''): string => cell.replaceAll('`', '');
const isThere = (state: string): boolean => ['same', 'better', 'kept'].includes(state);

/** Whatever the parameters of a path are called. */
const shape = (path: string): string => path.replaceAll(/:[a-z]+|\{[a-z]+\}/g, '{}');
const SHAPES = new Map([...PATHS].map(([path, methods]) => [shape(path), methods] as const));

test.each([
  ['Verbs', 57],
  ['Options', 6],
  ['Routes', 30],
  ['Events of an endpoint', 24],
  ['Events of a manager', 15],
  ['Keys of an endpoint', 48],
  ['Keys of a manager', 18],
])('the table %s has all its %i rows, each with a state, and a reason where something is missing', (title, count) => {
  const table = rows(title);
  expect(table).toHaveLength(count);
  expect(new Set(table.map(([name]) => name)).size).toBe(count);
  for (const cells of table) {
    const [state = '', how = ''] = cells.slice(-2);
    expect([cells[0], STATES.includes(state)]).toEqual([cells[0], true]);
    if (state === 'left out') expect([cells[0], how.length > 0]).toEqual([cells[0], true]);
  }
});

test.each(rows('Verbs').map(([verb, state]) => [nameIn(verb), state ?? '']))('verb %s: %s', (usage, state) => {
  const verb = findVerb(usage.split(' ')[0] ?? '');
  expect(verb !== undefined).toBe(isThere(state));
  if (verb === undefined) return;
  // `[ep]` of the manual is what an instance may leave out.
  if (usage.includes('[ep]')) expect([verb.name, verb.own]).toEqual([verb.name, true]);
});

test.each(rows('Options').map(([option, state]) => [nameIn(option), state ?? '']))('option %s: %s', (option, state) => {
  expect((OPTION_NAMES as readonly string[]).includes(option.slice(2))).toBe(isThere(state));
});

test.each(rows('Routes').map(([route, old, own, state]) => [nameIn(route), old ?? '', own ?? '', state ?? '']))(
  'route %s (1.0: %s, own: %s): %s',
  (route, old, own, state) => {
    const [path = '', ...methods] = route.split(' ').reverse();
    const versions = old === 'only' ? ['v1.0'] : old === 'yes' ? ['v1.0', 'v1.1'] : ['v1.1'];
    const paths = [path, ...(own === 'yes' ? [path.replace('/endpoints/{ep}', '/endpoint')] : [])];
    for (const place of versions.flatMap((version) => paths.map((each) => `/${version}${each}`))) {
      const known = methods.filter((method) => SHAPES.get(shape(place))?.has(method as never) === true);
      expect([place, known]).toEqual([place, isThere(state) ? methods : []]);
    }
  },
);

const keysOf = (scope: 'endpoint' | 'daemon') =>
  new Set(SCHEMA.filter((key) => key.scope === scope).map(({ section, key }) => `${section}.${key}`));

test.each(rows('Keys of an endpoint').map(([key, state]) => [nameIn(key), state ?? '']))('key %s: %s', (key, state) => {
  expect(keysOf('endpoint').has(key)).toBe(isThere(state));
});

test.each(rows('Keys of a manager').map(([key, state]) => [nameIn(key), state ?? '']))('manager key %s: %s', (key, state) => {
  expect(keysOf('daemon').has(key)).toBe(isThere(state));
});

const sources = packageNames()
  .filter((name) => name !== 'testkit')
  .flatMap(sourcesOf)
  .map(textOf)
  .join('\n');
/** Those of alarms are put together. */
const ALARMS = ['ALARM_BRAKE', 'ALARM_RETIREMENTS', 'ALARM_UNREADABLE'];

test.each(
  ['Events of an endpoint', 'Events of a manager'].flatMap((title) =>
    rows(title).map(([event, state, how]) => [nameIn(event), state ?? '', how ?? '']),
  ),
)('event %s: %s (%s)', (event, state, how) => {
  const told = (name: string): boolean => sources.includes(`'${name}'`);
  // One that is told under another name says under which.
  const names = told(event) ? [event] : [...how.matchAll(/`([A-Z]+_[A-Z_]+|LEADING)`/g)].map(([, name]) => name!);
  expect(names.length > 0 && names.every(told)).toBe(isThere(state));
});

test('every event that is told is in the lists', () => {
  const listed = new Set([...textOf('packages/api/README.md').matchAll(/`([A-Z]+(?:_[A-Z]+)*)`/g)].map(([, name]) => name));
  const told = [...sources.matchAll(/'([A-Z]+(?:_[A-Z]+)+)'/g)].map(([, name]) => name!);
  const events = told.filter((name) =>
    /^(ENDPOINT|CONFIG|SCALE|METRICS|LAUNCH|RECOMMISSION|DECOMMISSION|DELETE|CLEAN|CONFIRM|DROP|ERROR|UPDATE|USER|HOLD|NAMES|IMAGE|BALANCER|UNHEALTHY|RECOVERED|SESSION|SHADOW|LOG|REGISTERED|MANAGERS|ENDPOINTS|LEADING)_/.test(
      name,
    ),
  );
  expect([...events, ...ALARMS].filter((name) => !listed.has(name))).toEqual([]);
});
