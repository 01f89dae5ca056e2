import { ReactorError } from '@reactor/core';
import { containerSpec, createFakeEngine, describeContainerEngine } from '../src/index.js';

describeContainerEngine('in memory', async () => {
  const engine = createFakeEngine();
  const stranger = engine.sibling('another');
  return {
    engine,
    again: () => engine.sibling(),
    stranger: () => stranger,
    image: 'pyex:latest',
    hostAddress: '10.0.0.1',
    kill: async (container) => engine.exit(container.instance, 137),
    close: async () => undefined,
  };
});

describe('the switches of the fake engine', () => {
  const spec = containerSpec('i1', '10.0.0.1', 20_001);

  test('a failure is met once, and the journal shows both calls', async () => {
    const engine = createFakeEngine();
    engine.failNext('start', new ReactorError('docker_refused', 'told to'));
    await expect(engine.start(spec)).rejects.toThrow('told to');
    await engine.start(spec);
    expect(engine.calls).toEqual([
      { method: 'start', subject: 'reactor-i1' },
      { method: 'start', subject: 'reactor-i1' },
    ]);
  });

  test('a hung engine answers once it is released', async () => {
    const engine = createFakeEngine();
    const release = engine.hang();
    let answered = false;
    const listing = engine.list().then(() => {
      answered = true;
    });
    await new Promise(setImmediate);
    expect(answered).toBe(false);
    release();
    await listing;
    expect(answered).toBe(true);
  });

  test('containers outlive an engine that is down, and watchers look at all when it is back', async () => {
    const engine = createFakeEngine();
    const { id } = await engine.start(spec);
    const events = engine.events(new AbortController().signal)[Symbol.asyncIterator]();
    await events.next();
    engine.down();
    await expect(engine.list()).rejects.toMatchObject({ code: 'docker_unavailable' });
    engine.up();
    expect(await events.next()).toEqual({ done: false, value: null });
    expect(await engine.list()).toEqual([expect.objectContaining({ id })]);
  });

  test('an address answers while its container runs and was not told to be silent', async () => {
    const engine = createFakeEngine();
    await engine.start(spec);
    expect(engine.answers('10.0.0.1', 20_001)).toBe(true);
    engine.setAnswering('i1', false);
    expect(engine.answers('10.0.0.1', 20_001)).toBe(false);
    engine.setAnswering('i1', true);
    engine.exit('i1', 1);
    expect(engine.answers('10.0.0.1', 20_001)).toBe(false);
  });

  test('an image of the registry is pulled once and is there from then on', async () => {
    const engine = createFakeEngine({ images: [], registry: ['pyex:latest'] });
    const lines: string[] = [];
    const signal = new AbortController().signal;
    await engine.prepare('pyex:latest', (line) => lines.push(line), signal);
    await engine.prepare('pyex:latest', (line) => lines.push(line), signal);
    expect(lines).toEqual(['pulling pyex:latest', 'pulled pyex:latest']);
  });
});
