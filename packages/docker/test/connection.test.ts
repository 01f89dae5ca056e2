import { engineAt, fakeDockerd, json, type Reply } from './fake-dockerd.js';

const dockerds: { close(): Promise<void> }[] = [];
async function against(replies: Readonly<Record<string, Reply>>, limits = {}) {
  const dockerd = await fakeDockerd(replies);
  dockerds.push(dockerd);
  return { ...dockerd, ...engineAt(dockerd.socket, limits) };
}
afterEach(async () => {
  await Promise.all(dockerds.splice(0).map((dockerd) => dockerd.close()));
});

const raw =
  (status: number, body: string): Reply =>
  (_request, response) => {
    response.writeHead(status);
    response.end(body);
  };
const never: Reply = () => undefined;
const unavailable = { code: 'docker_unavailable' };

describe('agreeing on the API', () => {
  test('an engine older than 1.41 is refused by both numbers', async () => {
    const { engine, counts } = await against({ 'GET /version': json({ Version: '1.12.6', ApiVersion: '1.24' }) });
    const failure = { code: 'docker_too_old', message: expect.stringMatching(/^Docker API 1\.24 .* 1\.41 is needed/) };
    await expect(engine.list()).rejects.toMatchObject(failure);
    expect(counts).toEqual(['docker_too_old']);
  });

  test('a version is compared by number, not by text', async () => {
    const { engine } = await against({ 'GET /version': json({ Version: '1.7', ApiVersion: '1.9' }) });
    await expect(engine.list()).rejects.toMatchObject({ code: 'docker_too_old' });
  });

  test.each([
    ['1.50', '1.24', '/v1.41/'],
    ['1.52', '1.44', '/v1.44/'],
    ['1.41', undefined, '/v1.41/'],
  ])('of an engine that offers %s down to %s it speaks the lowest: %s', async (ApiVersion, MinAPIVersion, prefix) => {
    const urls: string[] = [];
    const { engine } = await against({
      'GET /version': json({ Version: 'x', ApiVersion, MinAPIVersion }),
      'GET /containers/json': (request, response) => {
        urls.push(request.url ?? '');
        response.end('[]');
      },
    });
    expect(await engine.list()).toEqual([]);
    expect(urls[0]?.startsWith(prefix)).toBe(true);
    expect(decodeURIComponent(urls[0] ?? '')).toContain('filters={"label":["reactor.cluster=test"]}');
  });

  test('the version is asked once for many calls', async () => {
    const { engine, requests } = await against({ 'GET /containers/json': json([]) });
    await Promise.all([engine.list(), engine.list()]);
    await engine.list();
    expect(requests.filter((request) => request === 'GET /version')).toHaveLength(1);
  });
});

describe('a reply that is not the engine’s', () => {
  test.each<[string, Reply]>([
    ['an HTML 502 of a proxy', raw(502, '<html>Bad Gateway</html>')],
    ['an HTML 404 of a proxy', raw(404, '<html>Not Found</html>')],
    ['truncated JSON', raw(200, '[{"Id":"abc"')],
    ['a JSON text that is no list', raw(200, '"[]"')],
    ['nothing', raw(200, '')],
    ['an empty 500', raw(500, '')],
    [
      'a body that breaks off',
      (_request, response) => {
        response.writeHead(200, { 'content-length': '1000' });
        response.write('[{');
        setImmediate(() => response.destroy());
      },
    ],
    ['a connection that breaks off', (request) => void request.socket.destroy()],
  ])('%s is docker_unavailable', async (_name, reply) => {
    const { engine } = await against({ 'GET /containers/json': reply });
    await expect(engine.list()).rejects.toMatchObject(unavailable);
  });

  test('the HTML 404 of a proxy is never taken for "it is gone"', async () => {
    const { engine } = await against({ 'GET /containers/': raw(404, '<html>Not Found</html>') });
    await expect(engine.remove('abc', 0)).rejects.toMatchObject(unavailable);
  });

  test('a body of 200 MB is cut off early', async () => {
    let sent = 0;
    const { engine } = await against({
      'GET /containers/json': (_request, response) => {
        const chunk = Buffer.alloc(1024 * 1024, 0x20);
        const more = () => {
          while (sent < 200 && !response.destroyed) {
            sent += 1;
            if (!response.write(chunk)) return void response.once('drain', more);
          }
          response.end('[]');
        };
        more();
      },
    });
    await expect(engine.list()).rejects.toMatchObject({ code: 'docker_refused', message: expect.stringContaining('16 MiB') });
    expect(sent).toBeLessThan(40);
  });

  test('DOCKER_HOST in the environment redirects nothing', async () => {
    const before = process.env['DOCKER_HOST'];
    process.env['DOCKER_HOST'] = 'tcp://127.0.0.1:1';
    try {
      const { engine } = await against({ 'GET /containers/json': json([]) });
      expect(await engine.list()).toEqual([]);
    } finally {
      if (before === undefined) delete process.env['DOCKER_HOST'];
      else process.env['DOCKER_HOST'] = before;
    }
  });
});

describe('an engine that does not answer', () => {
  test('costs a call its deadline, whichever part of the answer is missing', async () => {
    const head: Reply = (_request, response) => {
      response.writeHead(200);
      response.write('[');
    };
    const { engine } = await against({ 'GET /containers/json': head, 'GET /images/': never }, { readMs: 50 });
    await expect(engine.list()).rejects.toMatchObject({
      ...unavailable,
      message: 'Docker did not answer GET /containers/json within 0.05 s',
    });
    const signal = new AbortController().signal;
    await expect(engine.prepare('x', () => undefined, signal)).rejects.toMatchObject(unavailable);
  });

  test('is not asked again for a while after five failures, with one line in the log, and found again', async () => {
    let hung = true;
    const dockerd = await against(
      { 'GET /containers/json': (request, response) => (hung ? undefined : json([])(request, response)) },
      { readMs: 150, breakerOpenMs: 500 },
    );
    const { engine, requests, log } = dockerd;
    for (let count = 0; count < 5; count += 1) await expect(engine.list()).rejects.toMatchObject(unavailable);
    const asked = requests.length;
    await expect(engine.list()).rejects.toMatchObject(unavailable);
    expect(requests).toHaveLength(asked);
    hung = false;
    let listed: unknown = null;
    for (const endMs = performance.now() + 4_000; listed === null && performance.now() < endMs; ) {
      listed = await engine.list().catch(() => new Promise((resolve) => setTimeout(resolve, 5, null)));
    }
    expect(listed).toEqual([]);
    expect(log.map(([level]) => level)).toEqual(['error', 'info']);
  });

  test.each([
    ['/nowhere/docker.sock', 'there is no Docker engine at /nowhere/docker.sock'],
    ['/dev/null', 'nothing listens at /dev/null'],
  ])('at %s is told in plain words', async (socket, words) => {
    const { engine } = engineAt(socket);
    await expect(engine.list()).rejects.toMatchObject({ ...unavailable, message: expect.stringContaining(words) });
  });
});

describe('listing', () => {
  const labels = {
    'reactor.cluster': 'test',
    'reactor.endpoint': 'e',
    'reactor.instance': 'i',
    'reactor.slots': '1',
    'reactor.hash': 'h',
  };
  const row = (Id: string) => ({
    Id,
    Names: [`/${Id}`],
    Labels: labels,
    State: 'running',
    NetworkSettings: { Networks: { b: { EndpointID: 'e' } } },
  });
  const inspected = (Id: string) =>
    json({ Id, Name: `/${Id}`, Config: { Labels: labels }, State: { Status: 'running', StartedAt: '2026-01-01T00:00:00Z' } });

  test('inspects each start once and then is one call', async () => {
    const { engine, requests } = await against({
      'GET /containers/json': json([row('aa'), row('bb'), { Id: 'decoy', Labels: {} }]),
      'GET /containers/aa/json': inspected('aa'),
      'GET /containers/bb/json': inspected('bb'),
    });
    const first = await engine.list();
    expect(first.map(({ id, startedAtMs }) => [id, startedAtMs])).toEqual([
      ['aa', Date.UTC(2026, 0, 1)],
      ['bb', Date.UTC(2026, 0, 1)],
    ]);
    const asked = requests.length;
    expect(await engine.list()).toEqual(first);
    expect(requests.slice(asked)).toEqual(['GET /containers/json']);
  });

  test('one container whose inspect hangs holds up no other', async () => {
    const { engine } = await against(
      {
        'GET /containers/json': json([row('aa'), row('bb')]),
        'GET /containers/aa/json': never,
        'GET /containers/bb/json': inspected('bb'),
      },
      { inspectMs: 1_000 },
    );
    const [stuck, fine] = await engine.list();
    expect(stuck).toMatchObject({ id: 'aa', status: 'running', startedAtMs: null });
    expect(fine).toMatchObject({ id: 'bb', startedAtMs: Date.UTC(2026, 0, 1) });
  });

  test('a container that goes between listing and inspect is left out', async () => {
    const { engine } = await against({
      'GET /containers/json': json([row('aa')]),
      'GET /containers/aa/json': json({ message: 'No such container' }, 404),
    });
    expect(await engine.list()).toEqual([]);
  });
});

test('the facts are told while the engine holds up /info, as it does over a dead registry', async () => {
  let held = false;
  const info = json({ NCPU: 2, MemTotal: 1e9, OSType: 'linux' });
  const { engine, log } = await against(
    {
      'GET /info': (request, response) => (held ? undefined : info(request, response)),
      'GET /images/json': json([]),
      'GET /containers/json': json([]),
    },
    { infoMs: 50 },
  );
  const before = await engine.facts();
  held = true;
  for (let count = 0; count < 6; count += 1) expect(await engine.facts()).toEqual(before);
  expect(log).toEqual([]);
});
