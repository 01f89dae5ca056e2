import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFakeStore } from '@reactor/testkit';
import { createDefaultEndpoints, readDefaultEndpoints } from '../src/default-endpoints.js';

const SHIPPED = new URL('../../../configs/default', import.meta.url).pathname;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'defaults-'));
  cpSync(SHIPPED, directory, { recursive: true });
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (host: string, port: number) =>
  readDefaultEndpoints(directory, { host, port }).map(({ name, document }) => [
    name,
    document['endpoint']!['url'],
    document['endpoint']!['static_instances'],
    document['endpoint']!['port'],
  ]);

test('the shipped ones publish the API, wherever it listens', () => {
  expect(at('127.0.0.1', 8080)).toEqual([
    ['apihttp', 'http://', 'localhost', '8080'],
    ['apihttps', 'https://', 'localhost', '8080'],
  ]);
  expect(at('', 9000)[0]).toEqual(['apihttp', 'http://', 'localhost', '9000']);
  expect(at('10.0.0.5', 9000)[0]).toEqual(['apihttp', 'http://', '10.0.0.5', '9000']);
  expect(at('::1', 8080)[0]).toEqual(['apihttp', 'http://', '::1', '8080']);
});

test('what points elsewhere is left as it is, and what is no .conf is not read', () => {
  writeFileSync(join(directory, 'other.conf'), '[endpoint]\nurl=http://x/\nstatic_instances=localhost\nport=9999\n');
  writeFileSync(join(directory, 'apihttp.conf.new'), 'nonsense');
  expect(at('10.0.0.5', 1).at(-1)).toEqual(['other', 'http://x/', 'localhost', '9999']);
});

test.each<[string, string, string]>([
  ['bad.conf', '[endpoint]\nport=x\n', "bad.conf: endpoint.port (line 2, column 6): 'x' is not a port"],
  ['none.conf', '[scaling]\n', 'none.conf: endpoint.url: required'],
  ['a b.conf', '[endpoint]\nurl=http://x/\n', 'a b.conf: name: '],
])('a mistake in %s is told with its place, and nothing is created; mended, all are', async (file, text, message) => {
  const store = createFakeStore({ now: () => 0 });
  const said: string[] = [];
  const options = {
    directory,
    api: { host: '', port: 8080 },
    store,
    now: () => 0,
    newId: () => 'x',
    log: (_level: string, line: string) => said.push(line),
  };
  writeFileSync(join(directory, file), text);
  await createDefaultEndpoints(options);
  expect(said).toEqual([expect.stringContaining(message)]);
  expect((await store.read('endpoints/')).entries.size).toBe(0);
  rmSync(join(directory, file));
  await createDefaultEndpoints(options);
  expect([...(await store.read('endpoints/')).entries.keys()].sort()).toEqual(['endpoints/apihttp', 'endpoints/apihttps']);
  expect(said.at(-1)).toContain('apihttp, apihttps');
  await createDefaultEndpoints(options);
  expect(said).toHaveLength(2);
});

test('a directory that is missing is told', async () => {
  const said: string[] = [];
  const options = { directory: '/nowhere', api: { host: '', port: 1 }, now: () => 0, newId: () => 'x' };
  await createDefaultEndpoints({ ...options, store: createFakeStore({ now: () => 0 }), log: (_, line) => said.push(line) });
  expect(said).toEqual([expect.stringMatching(/not created: .*ENOENT/)]);
});
