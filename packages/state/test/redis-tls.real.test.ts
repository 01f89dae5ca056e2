import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRedis } from '@reactor/state';
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
  const files = ['--tls-cert-file', at('redis.crt'), '--tls-key-file', at('redis.key'), '--tls-ca-cert-file', at('right.crt')];
  server = await RedisServer.start('--tls-port', String(port), '--tls-auth-clients', 'no', ...files);
}, 60_000);
afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

const url = (host: string, authority: string): string =>
  `rediss://${host}:${port}?ca=${encodeURIComponent(at(`${authority}.crt`))}`;

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

test('a file of certificates that is not there is a mistake in the URL', async () => {
  const refusal = openRedis({ url: 'rediss://127.0.0.1?ca=/nowhere' });
  await expect(refusal).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining('/nowhere') });
});
