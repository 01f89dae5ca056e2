import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { promisify } from 'node:util';
import { ask, freePort } from '@reactor/testkit';
import { selfSigned } from '../src/self-signed.js';
import { OwnNginx } from './own-nginx.js';
import { backendAt, serviceAt } from './services.js';

/** TLS as clients see it: OpenSSL and curl against a real nginx. */

const DAY_MS = 86_400_000;
let nginx: OwnNginx;
beforeEach(() => {
  nginx = new OwnNginx();
});
afterEach(async () => {
  await nginx.stop();
});

const pairFor = (name: string) => {
  const { certificate, key } = selfSigned({ names: [name], fromMs: Date.now() - DAY_MS, untilMs: Date.now() + 365 * DAY_MS });
  return { ssl: true, sslCertificate: certificate, sslKey: key };
};

/** What OpenSSL's client says of a handshake; it ends with a failure when there is none. */
async function handshake(port: number, name: string, ...options: string[]): Promise<{ ok: boolean; text: string }> {
  const words = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', name, '-cipher', 'DEFAULT:@SECLEVEL=0', ...options];
  const running = promisify(execFile)('openssl', words, { timeout: 10_000 });
  running.child.stdin?.end();
  return running.then(
    ({ stdout, stderr }) => ({ ok: true, text: stdout + stderr }),
    (error: { stdout: string; stderr: string }) => ({ ok: false, text: error.stdout + error.stderr }),
  );
}

const subjectOf = ({ text }: { text: string }) => /^subject=CN = (.*)$/m.exec(text)?.[1];

test('names of one port have their own certificates, given or made here; an unknown name gets none', async () => {
  const balancer = await nginx.open();
  const port = await freePort();
  const { port: backend } = await nginx.backend((request, response) => response.end(`${request.headers['x-forwarded-proto']}`));
  const https = (host: string, path: string, tls: object) =>
    serviceAt(`${host}${path}`, port, {
      scheme: 'https',
      host,
      path,
      backends: [backendAt(backend)],
      nginx: { ssl: true, ...tls },
    });
  expect(
    await balancer.apply([https('a.test', '/', pairFor('a.test')), https('a.test', '/x/', {}), https('b.test', '/', {})]),
  ).toMatchObject({ setAside: {} });
  expect(subjectOf(await handshake(port, 'a.test'))).toBe('a.test');
  const made = await handshake(port, 'b.test');
  expect(subjectOf(made)).toBe('b.test');
  expect((await handshake(port, 'c.test')).ok).toBe(false);

  // Trusted by hand it is a certificate like any other: curl checks name, dates, usage and signature.
  const kept = join(nginx.directory, 'certificates');
  const [name] = readdirSync(kept);
  const curl = async (host: string) =>
    (
      await promisify(execFile)('curl', [
        '-sS',
        '--cacert',
        join(kept, name!),
        '--resolve',
        `${host}:${port}:127.0.0.1`,
        `https://${host}:${port}/x/y`,
      ])
    ).stdout;
  expect(await curl('b.test')).toBe('https');
  await expect(curl('a.test')).rejects.toThrow(/certificate/);
  expect(statSync(join(kept, name!)).mode & 0o777).toBe(0o600);

  // The daemon's next life shows clients the same one, and reloads nothing for it.
  await balancer.close();
  const reloads = nginx.reloads();
  const next = await nginx.open();
  expect(await next.apply([https('a.test', '/', {}), https('b.test', '/', {})])).toMatchObject({ changed: true });
  const fingerprint = (text: string) => /-----BEGIN CERTIFICATE-----[^-]+/.exec(text)?.[0];
  expect(fingerprint((await handshake(port, 'b.test')).text)).toBe(fingerprint(made.text));
  expect(nginx.reloads()).toBe(reloads + 1);
});

test('HTTP/2 is spoken with who can, and HTTP/1.1 with who cannot or where it is turned off', async () => {
  const balancer = await nginx.open();
  const [both, plain] = [await freePort(), await freePort()];
  const { port: backend } = await nginx.backend((request, response) =>
    response.end(`${request.headers.host} ${request.httpVersion}`),
  );
  const service = (port: number, http2: boolean) =>
    serviceAt(`a${port}`, port, { scheme: 'https', backends: [backendAt(backend)], nginx: { ssl: true, http2 } });
  await balancer.apply([service(both, true), service(plain, false)]);
  const curl = async (port: number, version: string) =>
    (await promisify(execFile)('curl', ['-sSk', version, '-w', ' %{http_version}', `https://localhost:${port}/`])).stdout;
  expect(await curl(both, '--http2')).toBe(`localhost:${both} 1.1 2`);
  expect(await curl(both, '--http1.1')).toBe(`localhost:${both} 1.1 1.1`);
  expect(await curl(plain, '--http2')).toBe(`localhost:${plain} 1.1 1.1`);
});

test('TLS 1.2 and 1.3 are spoken, whatever the default server of the port is, and nothing older', async () => {
  const balancer = await nginx.open();
  const [port, unnamed] = [await freePort(), await freePort()];
  await balancer.apply([
    serviceAt('a', port, { scheme: 'https', host: 'a.test', nginx: { ssl: true } }),
    serviceAt('b', unnamed, { scheme: 'https', nginx: { ssl: true } }),
  ]);
  for (const each of [port, unnamed]) {
    expect((await handshake(each, 'a.test', '-tls1_3')).text).toContain('TLSv1.3');
    expect((await handshake(each, 'a.test', '-tls1_2')).text).toMatch(/Protocol *: TLSv1\.2/);
    for (const old of ['-tls1_1', '-tls1']) expect((await handshake(each, 'a.test', old)).ok).toBe(false);
  }
  // Neither forward secrecy nor authenticated encryption.
  expect((await handshake(port, 'a.test', '-tls1_2', '-cipher', 'AES128-SHA:@SECLEVEL=0')).ok).toBe(false);
});

test('who speaks HTTP to the port of TLS, or asks at port 80 of the host, is sent to https', async () => {
  const balancer = await nginx.open();
  const [port, unnamed] = [await freePort(), await freePort()];
  await balancer.apply([
    serviceAt('a', port, { scheme: 'https', host: 'a.test', path: '/x/', nginx: { ssl: true, redirectHttp: true } }),
    serviceAt('b', unnamed, { scheme: 'https', nginx: { ssl: true } }),
  ]);
  expect(await ask(port, { path: '/x/?q=1', headers: { Host: `a.test:${port}` } })).toMatchObject({
    status: 308,
    headers: { location: `https://a.test:${port}/x/?q=1` },
  });
  expect((await ask(unnamed, { path: '/y', headers: { Host: 'c.test' } })).headers.location).toBe(`https://c.test:${unnamed}/y`);
  const at80 = (path: string, host = 'a.test') => ask(80, { path, headers: { Host: host } });
  expect(await at80('/x/y?q=1')).toMatchObject({
    status: 308,
    headers: { location: `https://a.test:${port}/x/y?q=1`, 'cache-control': 'no-store' },
  });
  expect([(await at80('/elsewhere')).status, (await at80('/x/', 'b.test')).status]).toEqual([404, 404]);
});

test('a renewed certificate is taken up without a request failing, and old connections go on', async () => {
  const balancer = await nginx.open();
  const port = await freePort();
  const { port: backend } = await nginx.backend((_, response) => response.end('ok'));
  const service = (tls: object) =>
    serviceAt('a', port, {
      scheme: 'https',
      host: 'a.test',
      backends: [backendAt(backend)],
      nginx: { ...tls, clientKeepaliveMs: 0 },
    });
  const [old, renewed] = [pairFor('a.test'), pairFor('a.test')];
  await balancer.apply([service(old)]);

  /** One request on a connection of its own; which certificate was shown. */
  const request = () =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', servername: 'a.test', rejectUnauthorized: false });
      let text = '';
      let shown = '';
      socket.setEncoding('utf8');
      socket.on('secureConnect', () => {
        shown = socket.getPeerX509Certificate()?.toString() ?? '';
        socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n');
      });
      socket.on('data', (part) => {
        text += part;
      });
      socket.on('error', reject);
      socket.on('close', () =>
        text.startsWith('HTTP/1.1 200') ? resolve(shown) : reject(new Error(`answered ${text || 'nothing'}`)),
      );
    });
  let loading = true;
  const seen = new Set<string>();
  const load = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (loading) seen.add(await request());
    }),
  );
  for (let round = 0; round < 3; round++) await balancer.apply([service(round % 2 === 0 ? renewed : old)]);
  const now = await request();
  loading = false;
  await load;
  expect(now).toBe(renewed.sslCertificate);
  expect([...seen].sort()).toEqual([old.sslCertificate, renewed.sslCertificate].sort());
  expect(nginx.said.filter((line) => !line.startsWith('info'))).toEqual([]);
});
