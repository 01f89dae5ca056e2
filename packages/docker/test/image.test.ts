import { pullQuery } from '../src/image.js';
import { engineAt, fakeDockerd, json, type Reply } from './fake-dockerd.js';

const dockerds: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(dockerds.splice(0).map((dockerd) => dockerd.close()));
});

/** A host without the image until `pull` has ended it. */
async function pulling(pull: Reply, limits = {}) {
  const state = { here: false, pulls: 0, closed: 0 };
  const dockerd = await fakeDockerd({
    'GET /images/': (request, response) =>
      (state.here ? json({ Id: 'sha256:1' }) : json({ message: 'No such image' }, 404))(request, response),
    'POST /images/create': (request, response) => {
      state.pulls += 1;
      response.on('close', () => {
        state.closed += 1;
      });
      pull(request, response);
    },
  });
  dockerds.push(dockerd);
  return { state, ...dockerd, ...engineAt(dockerd.socket, { progressMs: 0, ...limits }) };
}

const lines =
  (...values: unknown[]): Reply =>
  (_request, response) => {
    for (const value of values) response.write(`${typeof value === 'string' ? value : JSON.stringify(value)}\r\n`);
    response.end();
  };
const open = new AbortController().signal;
const failure = (words: string) => ({ code: 'image_unavailable', message: expect.stringContaining(words) });

test.each([
  ['pyex', 'pyex', 'latest'],
  ['pyex:2', 'pyex', '2'],
  ['reg.local:5000/a/pyex', 'reg.local:5000/a/pyex', 'latest'],
  ['reg.local:5000/a/pyex:2', 'reg.local:5000/a/pyex', '2'],
  ['pyex@sha256:abc', 'pyex', 'sha256:abc'],
  ['reg:5000/pyex:2@sha256:abc', 'reg:5000/pyex', 'sha256:abc'],
])('%s is asked for as %s, %s', (image, fromImage, tag) => {
  expect(pullQuery(image)).toEqual({ fromImage, tag });
});

describe('preparing an image', () => {
  test('pulls a missing one, tells the progress, and needs no pull the next time', async () => {
    const { engine, state } = await pulling((request, response) => {
      state.here = true;
      lines({ status: 'Downloading', id: 'l1', progressDetail: { current: 1_000_000, total: 2_000_000 } }, 'not json', {
        status: 'Pull complete',
        id: 'l1',
        progressDetail: {},
      })(request, response);
    });
    const said: string[] = [];
    await engine.prepare('pyex:1', (line) => said.push(line), open);
    expect(said[0]).toBe('pulling pyex:1');
    expect(said).toContain('pulling pyex:1: 0 of 1 layers, 1.0 of 2.0 MB');
    expect(said).toContain('pulling pyex:1: 1 of 1 layers, 2.0 of 2.0 MB');
    expect(said.at(-1)).toMatch(/^pulled pyex:1 in \d+\.\d s$/);
    await engine.prepare('pyex:1', () => undefined, open);
    expect(state.pulls).toBe(1);
  });

  test('tells at most one line per interval in between', async () => {
    const many = Array.from({ length: 500 }, (_, current) => ({ id: 'l', progressDetail: { current, total: 500 } }));
    const { engine, state } = await pulling(
      (request, response) => {
        state.here = true;
        lines(...many)(request, response);
      },
      { progressMs: 60_000 },
    );
    const said: string[] = [];
    await engine.prepare('pyex:1', (line) => said.push(line), open);
    expect(said).toHaveLength(2);
  });

  test('is one pull for all who ask at once', async () => {
    const { engine, state } = await pulling((request, response) => {
      setImmediate(() => {
        state.here = true;
        lines({ status: 'x' })(request, response);
      });
    });
    await Promise.all([1, 2, 3].map(() => engine.prepare('pyex:1', () => undefined, open)));
    expect(state.pulls).toBe(1);
  });

  test('goes on for the others when one gives up, and ends when nobody waits', async () => {
    const { engine, state } = await pulling((_request, response) => void response.write('{"status":"x"}\n'));
    const [first, second] = [new AbortController(), new AbortController()];
    const said: string[] = [];
    const one = engine.prepare('pyex:1', (line) => void said.push(line), first.signal);
    const two = engine.prepare('pyex:1', () => undefined, second.signal);
    while (state.pulls === 0 || said.length === 0) await new Promise(setImmediate);
    first.abort(new Error('not me'));
    await expect(one).rejects.toThrow('not me');
    expect(state.closed).toBe(0);
    second.abort(new Error('nor me'));
    await expect(two).rejects.toThrow('nor me');
    while (state.closed === 0) await new Promise(setImmediate);
    expect(state.pulls).toBe(1);
  });

  test.each<[string, Reply, string]>([
    [
      'an error inside a stream of status 200',
      lines({ status: 'x' }, { errorDetail: { message: 'manifest unknown' }, error: 'e' }),
      'manifest unknown',
    ],
    ['an error of the old form', lines({ error: 'toomanyrequests' }), 'toomanyrequests'],
    ['a refusal', json({ message: 'pull access denied for pyex' }, 404), 'pull access denied'],
    ['a stream that ends without an image', lines({ status: 'x' }), 'the pull ended without an image'],
    [
      'a stream that breaks off',
      (_request, response) => {
        response.write('{"status":"x"}\n');
        setImmediate(() => response.destroy());
      },
      'broke off the pull',
    ],
  ])('%s is image_unavailable', async (_name, reply, words) => {
    const { engine } = await pulling(reply);
    await expect(engine.prepare('pyex:1', () => undefined, open)).rejects.toMatchObject(failure(words));
  });

  test.each<[string, Reply]>([
    ['before its head', () => undefined],
    ['in the middle', (_request, response) => void response.write('{"status":"x"}\n')],
  ])('a registry that falls silent %s ends the pull, and does not count against the engine', async (_name, reply) => {
    const { engine, log } = await pulling(reply, { pullSilenceMs: 40 });
    for (let count = 0; count < 6; count += 1) {
      await expect(engine.prepare('pyex:1', () => undefined, open)).rejects.toMatchObject(failure('reported nothing for 0.04 s'));
    }
    expect(log).toEqual([]);
  });

  test.each(['eb2b727f547d', `sha256:${'a'.repeat(64)}`])('the id %s is never asked of a registry', async (image) => {
    const { engine, state } = await pulling(lines());
    await expect(engine.prepare(image, () => undefined, open)).rejects.toMatchObject(failure('ids cannot be pulled'));
    expect(state.pulls).toBe(0);
  });
});
