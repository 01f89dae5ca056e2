import {
  type Cluster,
  type ContainerConfig,
  type EndpointConfig,
  type EndpointState,
  type InstanceRecord,
  KEYS,
  type Link,
  readCluster,
} from '@reactor/core';
import { aContainerConfig, anEndpointConfig } from '@reactor/testkit';
import { createLinked, linkedAddresses } from '../src/links.js';

const URL_OF_ALL: EndpointConfig['url'] = { scheme: 'http', host: null, port: 80, path: '/' };

function cluster(states: Readonly<Record<string, EndpointState>>): Cluster {
  const entries = Object.entries(states).map(([name, state]) => {
    const value = { name, uid: name, document: {}, state, changedAtMs: 0 };
    return [KEYS.endpoint(name), { value, revision: 1 }] as const;
  });
  return readCluster({ clusterId: 'test', revision: 1, entries: new Map(entries) });
}

const startOf = (container: Partial<ContainerConfig>) => ({ container: aContainerConfig(container) }) as InstanceRecord;

const linked = (links: readonly Link[], url: EndpointConfig['url'] = URL_OF_ALL, state: EndpointState = 'RUNNING') =>
  linkedAddresses(startOf({ links }), cluster({ db: state }), () => anEndpointConfig({ url }));

describe('what a container is told of the endpoint it links to', () => {
  test.each<[what: string, alias: string, url: NonNullable<EndpointConfig['url']>, names: string[], variables: string]>([
    [
      'its name, which the load balancer of the host answers for',
      'db',
      { scheme: 'http', host: 'db', port: 5000, path: '/' },
      ['db'],
      'DB_HOST=db DB_PORT=5000 DB_URL=http://db:5000',
    ],
    [
      'the alias, when the url answers for every name',
      'store',
      { ...URL_OF_ALL },
      ['store'],
      'STORE_HOST=store STORE_PORT=80 STORE_URL=http://store:80',
    ],
    [
      "the url's own host and path, beside the alias",
      'order-db',
      { scheme: 'https', host: 'db.example', port: 443, path: '/v1/' },
      ['order-db', 'db.example'],
      'ORDER_DB_HOST=db.example ORDER_DB_PORT=443 ORDER_DB_URL=https://db.example:443/v1/',
    ],
    [
      'an address as it is',
      '2nd',
      { scheme: 'http', host: '10.0.0.1', port: 80, path: '/' },
      ['2nd'],
      '_2ND_HOST=10.0.0.1 _2ND_PORT=80 _2ND_URL=http://10.0.0.1:80',
    ],
  ])('%s', (_what, alias, url, names, variables) => {
    const { hostNames, environment, missing } = linked([{ endpoint: 'db', alias }], url);
    expect([hostNames, missing]).toEqual([names, []]);
    expect(environment.map(([name, value]) => `${name}=${value}`).join(' ')).toBe(variables);
  });

  test('nothing, without links, as in a record of an older daemon', () => {
    expect(linked([])).toEqual({ hostNames: [], environment: [], missing: [] });
    const { links: _none, ...older } = aContainerConfig();
    const record = { container: older } as InstanceRecord;
    expect(linkedAddresses(record, cluster({}), () => null)).toEqual({ hostNames: [], environment: [], missing: [] });
  });
});

test.each([
  ['is not there', [{ endpoint: 'dbx', alias: 'db' }], URL_OF_ALL, 'RUNNING', 'dbx'],
  ['was removed', [{ endpoint: 'db', alias: 'db' }], URL_OF_ALL, 'REMOVED', 'db'],
  ['has no url', [{ endpoint: 'db', alias: 'db' }], null, 'RUNNING', 'db'],
] as const)('an endpoint that %s holds nothing up: its name is there for when it is, and it is told as missing', (...row) => {
  const [, links, url, state, missing] = row;
  expect(linked(links, url, state)).toEqual({ hostNames: ['db'], environment: [], missing: [missing] });
});

test('a name of dnsmasq is no address: it is told as missing, and does not come to mean this host', () => {
  const url = { scheme: 'dns', host: 'db', port: 0, path: '/' } as const;
  expect(linked([{ endpoint: 'db', alias: 'db' }], url)).toEqual({ hostNames: [], environment: [], missing: ['db'] });
});

test('an endpoint is linked to by whatever it is called now', () => {
  const { endpoints, ...rest } = cluster({ db: 'RUNNING' });
  const names = new Map([
    ['store', { value: { endpoint: 'db' }, revision: 2 }],
    ['db', { value: { endpoint: null }, revision: 2 }],
  ]);
  const linkedAs = (endpoint: string) =>
    linkedAddresses(startOf({ links: [{ endpoint, alias: 'db' }] }), { ...rest, endpoints, names }, () =>
      anEndpointConfig({ url: URL_OF_ALL }),
    );
  expect(linkedAs('store').environment).toHaveLength(3);
  expect(linkedAs('db').missing).toEqual(['db']);
});

test('what is missing is told in the log of the endpoint that starts', async () => {
  const told: string[] = [];
  const tell = (...line: readonly string[]): void => void told.push(line.join(' '));
  const linkedOf = createLinked(
    async () => cluster({ db: 'RUNNING' }),
    () => anEndpointConfig({}),
    tell,
  );
  const start = { ...startOf({ links: [{ endpoint: 'db', alias: 'db' }] }), id: 'i1', endpoint: 'web' };
  expect(await linkedOf(start)).toMatchObject({ hostNames: ['db'] });
  expect(told).toEqual([]);
  await linkedOf({ ...start, ...startOf({ links: [{ endpoint: 'gone', alias: 'gone' }] }) });
  expect(told).toEqual([
    'web warning LINK_MISSING i1 starts without the address of gone: no such endpoint, or it has no url with a port',
  ]);
});
