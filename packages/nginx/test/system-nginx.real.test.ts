import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask, freePort } from '@reactor/testkit';
import { OwnNginx } from './own-nginx.js';
import { serviceAt } from './services.js';

const BINARY = '/usr/sbin/nginx';
let nginx: OwnNginx;
let foreignPort: number;

/** A system's nginx as Debian lays it out, with a site of somebody else. */
beforeEach(async () => {
  nginx = new OwnNginx();
  foreignPort = await freePort();
  const { directory } = nginx;
  for (const folder of ['conf.d', 'sites-enabled']) mkdirSync(join(directory, folder));
  writeFileSync(
    join(directory, 'nginx.conf'),
    `pid ${directory}/nginx.pid;\nerror_log ${directory}/error.log;\nworker_processes 2;\nevents {}\nhttp {\n` +
      `access_log off;\ninclude ${directory}/conf.d/*.conf;\ninclude ${directory}/sites-enabled/*;\n}\n`,
  );
  writeFileSync(foreignSite(), `server { listen ${foreignPort}; return 200 foreign; }\n`);
  // Close to our names, but not ours.
  writeFileSync(join(directory, 'sites-enabled/reactor.mine.conf'), '# somebody else\n');
  expect(spawnSync(BINARY, ['-c', join(directory, 'nginx.conf')]).status).toBe(0);
});
afterEach(async () => {
  await nginx.stop();
});

const foreignSite = () => join(nginx.directory, 'sites-enabled/default');
const sites = () => readdirSync(join(nginx.directory, 'sites-enabled')).sort();

const open = () =>
  nginx.open({
    mode: {
      kind: 'system',
      configPath: join(nginx.directory, 'conf.d'),
      sitePath: join(nginx.directory, 'sites-enabled'),
      pidFile: join(nginx.directory, 'nginx.pid'),
      logPath: join(nginx.directory, 'reactor.log'),
      mainFile: join(nginx.directory, 'nginx.conf'),
    },
  });

test('our sites are added to the system nginx, removed with their endpoint, and foreign ones stay', async () => {
  const balancer = await open();
  const [port, other] = [await freePort(), await freePort()];
  await balancer.apply([serviceAt('a', port), serviceAt('b', other)]);
  expect((await ask(port)).status).toBe(503);
  expect((await ask(foreignPort)).body).toBe('foreign');
  expect(sites()).toHaveLength(4);
  await balancer.apply([serviceAt('a', port)]);
  expect(sites()).toHaveLength(3);
  expect(sites()).toEqual(expect.arrayContaining(['default', 'reactor.mine.conf']));
  expect((await balancer.apply([serviceAt('a', port)])).changed).toBe(false);
  await balancer.close();
  expect((await (await open()).apply([serviceAt('a', port)])).changed).toBe(false);
});

test('a foreign syntax error is named, and the last good files stay and run', async () => {
  const balancer = await open();
  const port = await freePort();
  await balancer.apply([serviceAt('a', port)]);
  const before = sites().map((name) => readFileSync(join(nginx.directory, 'sites-enabled', name), 'utf8'));
  writeFileSync(join(nginx.directory, 'sites-enabled/broken'), 'server { listen ; }\n');
  const error = await balancer.apply([serviceAt('a', port), serviceAt('b', await freePort())]).then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toMatchObject({ code: 'balancer_refused', message: expect.stringContaining('sites-enabled/broken') });
  expect(
    sites()
      .filter((name) => name !== 'broken')
      .map((name) => readFileSync(join(nginx.directory, 'sites-enabled', name), 'utf8')),
  ).toEqual(before);
  expect((await ask(port)).status).toBe(503);
  expect(existsSync(foreignSite())).toBe(true);
});
