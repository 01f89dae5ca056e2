import { readLabels } from '../src/facts.js';
import { hostPorts, readInspect, readRow } from '../src/reply.js';

const LABELS = {
  'reactor.cluster': 'test',
  'reactor.endpoint': 'pyex',
  'reactor.instance': 'i1',
  'reactor.slots': '10',
  'reactor.hash': 'h',
};
const inspect = (
  changes: { readonly Ports?: unknown; readonly State?: object; readonly HostConfig?: object } = {},
  labels: object = LABELS,
) =>
  readInspect(
    {
      Id: 'c0ffee',
      Name: '/box',
      Config: { Labels: labels },
      HostConfig: { NetworkMode: 'default', ...changes.HostConfig },
      State: { Status: 'running', StartedAt: '2026-11-21T02:54:23.72796607Z', ExitCode: 0, OOMKilled: false, ...changes.State },
      NetworkSettings: { Ports: changes.Ports },
    },
    'test',
  );
const binding = (HostIp: string, HostPort: string) => ({ HostIp, HostPort });

describe('the address of an inspected container', () => {
  const good = { host: '10.0.0.1', port: 20_001 };
  test.each<[string, unknown, object | null]>([
    ['null', null, null],
    ['nothing', {}, null],
    ['an exposed port that is not published', { '80/tcp': null }, null],
    ['the published port', { '5000/tcp': [binding('10.0.0.1', '20001')] }, good],
    ['UDP before it', { '53/udp': [binding('10.0.0.1', '53')], '5000/tcp': [binding('10.0.0.1', '20001')] }, good],
    ['IPv6 before it', { '5000/tcp': [binding('fd00::1', '20001'), binding('10.0.0.1', '20001')] }, good],
    ['IPv6 alone', { '5000/tcp': [binding('fd00::1', '20001')] }, { host: 'fd00::1', port: 20_001 }],
    ['several ports', { '8443/tcp': [binding('10.0.0.1', '20002')], '5000/tcp': [binding('10.0.0.1', '20001')] }, good],
    ['an empty host port', { '5000/tcp': [binding('10.0.0.1', '')] }, null],
    ['all addresses', { '5000/tcp': [binding('0.0.0.0', '20001'), binding('::', '20001')] }, null],
    ['no address', { '5000/tcp': [binding('', '20001')] }, null],
    ['a port out of range', { '5000/tcp': [binding('10.0.0.1', '70000')] }, null],
    ['garbage', { '5000/tcp': 'x', y: [null, 3] }, null],
  ])('with %s', (_name, Ports, address) => {
    expect(inspect({ Ports })?.address).toEqual(address);
  });

  test('is the labelled one with the host network, and only then', () => {
    const labels = { ...LABELS, 'reactor.address': '10.0.0.1:5000' };
    expect(inspect({ HostConfig: { NetworkMode: 'host' } }, labels)?.address).toEqual({ host: '10.0.0.1', port: 5000 });
    expect(inspect({}, labels)?.address).toBeNull();
  });

  test('is null once the container has ended', () => {
    const Ports = { '5000/tcp': [binding('10.0.0.1', '20001')] };
    expect(inspect({ Ports, State: { Status: 'exited' } })?.address).toBeNull();
  });
});

describe('an inspected container', () => {
  test('without our labels, or with some of them, is not ours', () => {
    expect(inspect({}, {})).toBeNull();
    expect(inspect({}, { ...LABELS, 'reactor.cluster': 'other' })).toBeNull();
    expect(inspect({}, { ...LABELS, 'reactor.cluster': 'TEST' })).toBeNull();
    for (const missing of Object.keys(LABELS)) expect(inspect({}, { ...LABELS, [missing]: undefined })).toBeNull();
    expect(inspect({}, { ...LABELS, 'reactor.slots': '-1' })).toBeNull();
  });

  test('that never started has no start time, and one started by a clock ahead has that time', () => {
    expect(inspect({ State: { Status: 'created', StartedAt: '0001-01-01T00:00:00Z' } })?.startedAtMs).toBeNull();
    expect(inspect({ State: { StartedAt: 'soon' } })?.startedAtMs).toBeNull();
    expect(inspect({ State: { StartedAt: '2100-01-01T00:00:00.123456789Z' } })?.startedAtMs).toBe(
      Date.UTC(2100, 0, 1, 0, 0, 0, 123),
    );
  });

  test('tells how it ended only when it has', () => {
    expect(inspect()?.exitCode).toBeNull();
    expect(inspect({ State: { Status: 'exited', ExitCode: 0 } })?.exitCode).toBe(0);
    expect(inspect({ State: { Status: 'exited', ExitCode: 137, OOMKilled: true } })).toMatchObject({
      exitCode: 137,
      oomKilled: true,
    });
    expect(inspect({ State: { Status: 'created', ExitCode: 127 } })?.exitCode).toBe(127);
    expect(inspect({ State: { Status: 'created', ExitCode: 0 } })?.exitCode).toBeNull();
  });

  test.each([
    ['removing', 'dead'],
    ['stopping', 'restarting'],
    [undefined, 'restarting'],
  ])('in state %s counts as %s', (Status, status) => {
    expect(inspect({ State: { Status } })?.status).toBe(status);
  });

  test.each([null, undefined, [], 'x', 3, {}, { Id: 3 }, { Config: { Labels: null } }])('read from %j is nobody', (reply) => {
    expect(readInspect(reply, 'test')).toBeNull();
    expect(readRow(reply, 'test')).toBeNull();
  });
});

describe('a row of the listing', () => {
  const row = (changes: object = {}) =>
    readRow(
      {
        Id: 'c0ffee',
        Names: ['/box'],
        Labels: LABELS,
        State: 'running',
        Status: 'Up 5 minutes',
        Ports: [{ IP: '10.0.0.1', PrivatePort: 5000, PublicPort: 20_001, Type: 'tcp' }],
        HostConfig: { NetworkMode: 'default' },
        NetworkSettings: { Networks: { bridge: { EndpointID: 'e1', IPAddress: '' } } },
        ...changes,
      },
      'test',
    );

  test('tells all but the start and the end', () => {
    expect(row()?.container).toEqual({
      id: 'c0ffee',
      name: 'box',
      instance: 'i1',
      tokenHash: null,
      endpoint: 'pyex',
      slots: 10,
      hash: 'h',
      status: 'running',
      startedAtMs: null,
      exitCode: null,
      oomKilled: false,
      address: { host: '10.0.0.1', port: 20_001 },
    });
  });

  test('has the same key for as long as it is the same start', () => {
    const key = row()?.startKey;
    expect(key).toEqual(expect.any(String));
    expect(row({ Status: 'Up 6 minutes' })?.startKey).toBe(key);
    expect(row({ NetworkSettings: { Networks: { bridge: { EndpointID: 'e2' } } } })?.startKey).not.toBe(key);
    expect(row({ State: 'paused' })?.startKey).not.toBe(key);
    expect(row({ Ports: [] })?.startKey).not.toBe(key);
  });

  test('has no key where another container lends the network', () => {
    expect(row({ NetworkSettings: { Networks: {} } })?.startKey).toBeNull();
  });

  test('gives the host ports of anybody, each once and TCP only', () => {
    const tcp = (PublicPort: number, IP: string) => ({ IP, PrivatePort: 80, PublicPort, Type: 'tcp' });
    const Ports = [
      tcp(8080, '0.0.0.0'),
      tcp(8080, '::'),
      tcp(80, '0.0.0.0'),
      { PrivatePort: 9, Type: 'tcp' },
      { PublicPort: 53, Type: 'udp' },
    ];
    expect(hostPorts({ Ports })).toEqual([80, 8080]);
    expect(hostPorts({ Ports: null })).toEqual([]);
  });
});

test('engine labels are read as key=value, and cannot override what Docker knows', () => {
  const info = {
    Labels: ['region=eu', 'ostype=plan9', 'odd', '=x', 'a=b=c'],
    OSType: 'linux',
    Driver: 'overlay2',
    Architecture: 'x86_64',
  };
  expect(readLabels(info)).toEqual({
    region: 'eu',
    a: 'b=c',
    ostype: 'linux',
    storagedriver: 'overlay2',
    architecture: 'x86_64',
  });
  expect(readLabels({ Labels: null })).toEqual({});
});
