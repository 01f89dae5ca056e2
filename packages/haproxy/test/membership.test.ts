import { changeFrom, isNothing } from '../src/membership.js';
import { groupServices, serverName } from '../src/virtual-service.js';
import { backendAt, serviceAt } from './services.js';

const [virtual] = groupServices([serviceAt('web', 80, { backends: [backendAt(1, 'a', 3), backendAt(2, 'b', 3)] })]).virtual;
const token = virtual!.token;
const running = (id: string, port: number, rest: { weight?: number; out?: boolean } = {}) => ({
  backend: token,
  name: serverName(backendAt(port, id)),
  weight: rest.weight ?? 3,
  out: rest.out ?? false,
});

test.each([
  ['nothing, when all are there', [running('a', 1), running('b', 2)], [], [], []],
  [
    'nothing, for one that is out already and only finishes',
    [running('a', 1), running('b', 2), running('c', 3, { out: true })],
    [],
    [],
    [],
  ],
  ['one is new', [running('a', 1)], [], ['b new'], []],
  ['one is taken back', [running('a', 1), running('b', 2, { out: true })], [], ['b'], []],
  ['one goes', [running('a', 1), running('b', 2), running('c', 3)], ['c'], [], []],
  ['an instance with another address is another server', [running('a', 1), running('b', 9)], ['b9'], ['b new'], []],
  ['a weight', [running('a', 1, { weight: 1 }), running('b', 2)], [], [], ['a']],
])('%s', (_what, servers, out, into, weighed) => {
  const names = new Map([
    ...(['a', 'b'] as const).map((id, i) => [serverName(backendAt(i + 1, id)), id] as const),
    [serverName(backendAt(3, 'c')), 'c'],
    [serverName(backendAt(9, 'b')), 'b9'],
  ]);
  const change = changeFrom(servers, [virtual!]);
  expect(change.takeOut.map(({ name }) => names.get(name))).toEqual(out);
  expect(change.putIn.map(({ server, isNew }) => `${names.get(server.name)}${isNew ? ' new' : ''}`)).toEqual(into);
  expect(change.weigh.map(({ server }) => names.get(server.name))).toEqual(weighed);
  expect(isNothing(change)).toBe(out.length + into.length + weighed.length === 0);
});

test('servers of a backend that is gone go, too', () => {
  expect(changeFrom([running('a', 1)], []).takeOut).toHaveLength(1);
});
