import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setAuthKey } from '@reactor/api';
import { type RunningApi, startApi } from './running-api.js';

/** The web pages as files: what is sent with them, and that nothing else is found there. */

let directory: string;
let running: RunningApi;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'reactor-pages-'));
  writeFileSync(join(directory, 'index.html'), '<!doctype html><title>Reactor</title>');
  writeFileSync(join(directory, 'main-ABC.js'), 'console.log(1)'.repeat(100));
  writeFileSync(join(directory, 'secret.txt'), 'no page');
  running = await startApi({ pages: directory });
});
afterEach(async () => {
  await running.close();
  rmSync(directory, { recursive: true, force: true });
});

test('the page is there without a key, and nothing of it may run, load or be framed that is not ours', async () => {
  await setAuthKey(running.store, 'a key');
  const { status, text, headers } = await running.ask('GET', '/ui/');
  expect([status, text]).toEqual([200, '<!doctype html><title>Reactor</title>']);
  expect(headers.get('content-security-policy')).toBe(
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  );
  expect([headers.get('x-frame-options'), headers.get('x-content-type-options'), headers.get('referrer-policy')]).toEqual([
    'DENY',
    'nosniff',
    'no-referrer',
  ]);
  expect([headers.get('cache-control'), headers.get('access-control-allow-origin')]).toEqual(['no-cache', null]);
});

test('what carries its hash in its name is kept by browsers, and sent compressed', async () => {
  const { status, text, headers } = await running.ask('GET', '/ui/main-ABC.js', { headers: { 'accept-encoding': 'gzip' } });
  expect([status, text.length]).toEqual([200, 1_400]);
  expect([headers.get('content-encoding'), headers.get('cache-control')]).toEqual([
    'gzip',
    'public, max-age=31536000, immutable',
  ]);
  expect((await running.ask('GET', '/ui/main-ABC.js', { headers: { 'accept-encoding': 'identity' } })).text).toBe(text);
});

test.each(['/ui/secret.txt', '/ui/nothing.js', '/ui/sub/index.html', '/ui/__proto__', '/ui/index.html/', '/uix'])(
  '%s is not found',
  async (path) => {
    expect((await running.ask('GET', path)).status).toBe(404);
  },
);

test.each(['/ui/../../etc/passwd', '/ui/%2e%2e/secret.txt', '/ui/..%2fsecret.txt'])('%s leads nowhere', async (path) => {
  expect([400, 404]).toContain((await running.ask('GET', path)).status);
});

test('pages are only read', async () => {
  const { status, headers } = await running.ask('POST', '/ui/', { body: 'x' });
  expect([status, headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  expect((await running.ask('HEAD', '/ui/')).text).toBe('');
});

test('the address without its slash leads there', async () => {
  expect((await running.ask('GET', '/ui')).text).toContain('Reactor');
});

test('where they were not built it is said', async () => {
  const bare = await startApi();
  expect((await bare.ask('GET', '/ui/')).body.error?.message).toBe('the web pages are not part of this installation');
  await bare.close();
});
