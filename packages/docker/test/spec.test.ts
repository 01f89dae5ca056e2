import { containerSpec } from '@reactor/testkit';
import { CAPABILITIES, createBody } from '../src/spec.js';

const body = (changes: Parameters<typeof containerSpec>[3] = {}) =>
  createBody(containerSpec('i1', '10.0.0.1', 20_001, changes), 'prod', '/srv/docker.sock') as {
    readonly Env: readonly string[];
    readonly HostConfig: Readonly<Record<string, unknown>>;
    readonly [field: string]: unknown;
  };

describe('the body of a container to create', () => {
  test('carries the defaults that keep a container in its place', () => {
    expect(body().HostConfig).toMatchObject({
      RestartPolicy: { Name: 'no' },
      Privileged: false,
      AutoRemove: false,
      SecurityOpt: ['no-new-privileges'],
      CapDrop: ['ALL'],
      CapAdd: CAPABILITIES,
      PidsLimit: 256,
      PublishAllPorts: false,
      LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } },
    });
    for (const dropped of ['NET_RAW', 'MKNOD', 'AUDIT_WRITE', 'SETFCAP', 'SYS_ADMIN'])
      expect(CAPABILITIES).not.toContain(dropped);
  });

  test('says whose it is in its labels', () => {
    expect(body({ slots: 3 })['Labels']).toEqual({
      'reactor.cluster': 'prod',
      'reactor.endpoint': 'pyex',
      'reactor.instance': 'i1',
      'reactor.slots': '3',
      'reactor.token': 'ab12',
      'reactor.hash': 'h1',
    });
  });

  test('publishes on the host address alone, and nothing when there is no port', () => {
    expect(body()['ExposedPorts']).toEqual({ '5000/tcp': {} });
    expect(body().HostConfig['PortBindings']).toEqual({ '5000/tcp': [{ HostIp: '10.0.0.1', HostPort: '20001' }] });
    expect(body({ publish: null }).HostConfig['PortBindings']).toEqual({});
    expect(body({ publish: null })['ExposedPorts']).toBeUndefined();
  });

  test('leaves command, user and hostname to the image when they are not set', () => {
    for (const field of ['Cmd', 'User', 'Hostname', 'Entrypoint']) expect(body()[field]).toBeUndefined();
    const set = body({ container: { command: ['/bin/x', 'a b'], user: 'web', hostname: 'box' } });
    expect(set).toMatchObject({ Cmd: ['/bin/x', 'a b'], User: 'web', Hostname: 'box' });
  });

  test('an entrypoint of its own takes the place of the one in the image', () => {
    expect(body({ container: { entrypoint: ['/bin/sh', '-c'] } })['Entrypoint']).toEqual(['/bin/sh', '-c']);
  });

  test('names of linked endpoints mean the host it runs on; what the operator sets goes before what a link brings', () => {
    const linked = { hostNames: ['db', 'api'], environment: [['DB_HOST', 'db'] as const, ['DB_PORT', '5432'] as const] };
    const { Env, HostConfig } = body({ linked, container: { environment: [['DB_HOST', 'mine']] } });
    expect(HostConfig['ExtraHosts']).toEqual(['db:host-gateway', 'api:host-gateway']);
    expect(Env).toEqual(['DB_HOST=mine', 'DB_PORT=5432']);
    expect(body().HostConfig['ExtraHosts']).toBeUndefined();
  });

  test('an operator cannot override the environment Reactor adds', () => {
    const env = body({
      container: {
        environment: [
          ['A', '1'],
          ['REACTOR_API', 'evil'],
          ['A', '2'],
        ],
      },
      environment: [['REACTOR_API', 'http://10.0.0.1:8080']],
    }).Env;
    expect(env).toEqual(['A=2', 'REACTOR_API=http://10.0.0.1:8080']);
  });

  test('turns limits into Docker units, 0 being none', () => {
    expect(body({ container: { memLimitBytes: 64e6, memReservationBytes: 32e6, cpus: 0.25 } }).HostConfig).toMatchObject({
      Memory: 64e6,
      MemoryReservation: 32e6,
      NanoCpus: 250_000_000,
    });
    const none = body({ container: { pidsLimit: 0 } }).HostConfig;
    expect(none).toMatchObject({ Memory: 0, NanoCpus: 0 });
    expect(none['PidsLimit']).toBeUndefined();
  });

  test('hands volumes, dns and networks on', () => {
    const container = { volumes: ['/data:/data:ro', 'named:/x'], volumesFrom: ['box'], dns: ['10.0.0.53'], network: 'backend' };
    expect(body({ container }).HostConfig).toMatchObject({
      Binds: ['/data:/data:ro', 'named:/x'],
      VolumesFrom: ['box'],
      Dns: ['10.0.0.53'],
      NetworkMode: 'backend',
    });
  });

  test.each([
    '/var/run/docker.sock:/s',
    '/run/docker.sock:/s:ro',
    '/srv/docker.sock:/s',
    '/var/run:/r',
    '/var/../run//:/r',
    '/:/host:ro',
    '/run/containerd:/c',
  ])('refuses the volume %s, which reaches an engine socket', (volume) => {
    expect(() => body({ container: { volumes: [volume] } })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });

  test('lets volumes pass that only look similar', () => {
    expect(() => body({ container: { volumes: ['/var/running:/r', '/srv/docker.sock.d:/d', 'docker.sock:/x'] } })).not.toThrow();
  });

  test('with the host network the address is a label, as Docker knows of no port then', () => {
    const host = body({ container: { network: 'host' } });
    expect(host.HostConfig).toMatchObject({ NetworkMode: 'host', PortBindings: {} });
    expect(host['Labels']).toMatchObject({ 'reactor.address': '10.0.0.1:5000' });
  });

  test.each(['host', 'container:box'])('refuses a hostname with network=%s', (network) => {
    expect(() => body({ publish: null, container: { network, hostname: 'box' } })).toThrow('hostname: cannot be set');
  });

  test.each(['none', 'container:box'])('refuses to publish with network=%s', (network) => {
    expect(() => body({ container: { network } })).toThrow('nothing can be published');
    expect(() => body({ publish: null, container: { network } })).not.toThrow();
  });
});
