import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRedis } from '@reactor/state';
import { until } from '@reactor/testkit';
import { freePort, RedisServer } from './redis-server.js';

let directory: string;
let server: RedisServer;
let port: number;

const at = (name: string): string => join(directory, name);
const openssl = (...words: readonly string[]): void => void execFileSync('openssl', words, { stdio: 'ignore' });

function makeAuthority(name: string): void {
  const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`];
  openssl(...words, '-keyout', at(`${name}.key`), '-out', at(`${name}.crt`));
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'reactor-tls-'));
  makeAuthority('right');
  makeAuthority('wrong');
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=redis', '-keyout', at('redis.key'), '-out', at('redis.csr'));
  const extension = at('redis.ext');
  execFileSync('sh', ['-c', `echo subjectAltName=IP:127.0.0.1 > ${extension}`]);
  const signing = ['x509', '-req', '-in', at('redis.csr'), '-CA', at('right.crt'), '-CAkey', at('right.key'), '-CAcreateserial'];
  openssl(...signing, '-days', '2', '-extfile', extension, '-out', at('redis.crt'));
  port = await freePort();
  server = await RedisServer.start(...listening(port));
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

function listening(tlsPort: number): readonly string[] {
  const files = ['--tls-cert-file', at('redis.crt'), '--tls-key-file', at('redis.key'), '--tls-ca-cert-file', at('right.crt')];
  return ['--tls-port', String(tlsPort), '--tls-auth-clients', 'no', ...files];
}

const url = (host: string, authority: string, tlsPort = port): string =>
  `rediss://${host}:${tlsPort}?ca=${encodeURIComponent(at(`${authority}.crt`))}`;

test('a server with a certificate of the authority and for its name is trusted', async () => {
  const store = await openRedis({ url: url('127.0.0.1', 'right') });
  expect(await store.commit({ expect: [], write: [{ key: 'a', value: 1 }] })).toEqual({ kind: 'committed', revision: 1 });
  await store.close();
}, 20_000);

test.each([
  ['of another authority', () => url('127.0.0.1', 'wrong'), /certificate/i],
  ['that no authority of the system signed', () => `rediss://127.0.0.1:${port}`, /certificate/i],
  ['for another name', () => url('localhost', 'right'), /altname|alternative|host/i],
])(
  'a certificate %s is refused',
  async (_, address, reason) => {
    const refusal = openRedis({ url: address() });
    await expect(refusal).rejects.toMatchObject({ code: 'state_unavailable', message: expect.stringMatching(reason) });
  },
  20_000,
);

test('in a cluster, a node that does not hold the state leads to the one that does, over TLS', async () => {
  const ports = [await freePort(), await freePort()];
  const nodes = await Promise.all(
    ports.map(async (tlsPort) => {
      const clustered = ['--cluster-enabled', 'yes', '--tls-cluster', 'yes', '--cluster-port', String(await freePort())];
      return RedisServer.start(...listening(tlsPort), ...clustered);
    }),
  );
  try {
    const [holder, other] = nodes as [RedisServer, RedisServer];
    await holder.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
    const [, busPort] = (await other.command('CONFIG', 'GET', 'cluster-port')) as [string, string];
    await holder.command('CLUSTER', 'MEET', '127.0.0.1', String(ports[1]), busPort);
    await until('the other one serves, too', 20_000, async () =>
      (await other.says('CLUSTER', 'INFO')).includes('cluster_state:ok'),
    );
    const store = await openRedis({ url: url('127.0.0.1', 'right', ports[1]).replace('rediss:', 'rediss+cluster:') });
    expect(await store.commit({ expect: [], write: [{ key: 'a', value: 1 }] })).toEqual({ kind: 'committed', revision: 1 });
    await store.close();
  } finally {
    for (const node of nodes) await node.stop();
  }
}, 60_000);

test('a port that speaks no TLS is asked whether it does', async () => {
  const refusal = openRedis({ url: server.url.replace('redis:', 'rediss:') });
  await expect(refusal).rejects.toMatchObject({
    code: 'state_unavailable',
    message: expect.stringContaining('does this port speak TLS?'),
  });
}, 20_000);

test('a file of certificates that is not there is a mistake in the URL', async () => {
  const refusal = openRedis({ url: 'rediss://127.0.0.1?ca=/nowhere' });
  await expect(refusal).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining('/nowhere') });
});
