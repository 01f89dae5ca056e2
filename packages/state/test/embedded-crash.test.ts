import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openEmbedded } from '@reactor/state';

const PACKAGE = join(import.meta.dirname, '..');
/** Built where Node finds the package's libraries. */
const CHILD = join(PACKAGE, '.cache', 'crash-child.mjs');
const KILLS = 6;

let directory: string;

beforeAll(() => {
  mkdirSync(join(PACKAGE, '.cache'), { recursive: true });
  const esbuild = join(PACKAGE, '../../node_modules/.bin/esbuild');
  execFileSync(esbuild, [
    join(PACKAGE, 'test/crash-child.ts'),
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--external:lmdb',
    '--external:ioredis',
    `--alias:@reactor/state=${join(PACKAGE, 'src/index.ts')}`,
    `--alias:@reactor/core=${join(PACKAGE, '../core/src/index.ts')}`,
    `--outfile=${CHILD}`,
    '--log-level=error',
  ]);
});
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reactor-crash-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** Runs the child until it has answered so many commits and a random moment more, then kills it; what it answered. */
async function commitUntilKilled(first: number, answers: number): Promise<ReadonlyMap<number, number>> {
  const child = spawn(process.execPath, [CHILD, directory, String(first)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const answered = new Map<number, number>();
  for await (const line of createInterface({ input: child.stdout })) {
    const [n, revision] = line.split(' ').map(Number);
    answered.set(n ?? -1, revision ?? -1);
    if (answered.size === answers) setTimeout(() => child.kill('SIGKILL'), Math.random() * 10);
  }
  const [, signal] = (await ended) as [number | null, string | null];
  expect(signal).toBe('SIGKILL');
  return answered;
}

test('nothing answered is lost and nothing is half written, whenever the process is killed', async () => {
  const answered = new Map<number, number>();
  let first = 0;
  let revision = 0;
  for (let kill = 0; kill < KILLS; kill += 1) {
    const more = await commitUntilKilled(first, 5 + Math.floor(Math.random() * 60));
    for (const [n, at] of more) answered.set(n, at);
    const store = await openEmbedded({ directory });
    const view = await store.read('');
    await store.close();
    for (const [n, at] of answered) expect(view.entries.get(`all/${n}`)).toEqual({ value: n, revision: at });
    for (const lane of [0, 1, 2, 3]) {
      expect(view.entries.get(`pair/${lane}/left`)).toEqual(view.entries.get(`pair/${lane}/right`));
    }
    expect(view.revision).toBeGreaterThanOrEqual(Math.max(...answered.values()));
    expect(view.revision).toBeGreaterThan(revision);
    revision = view.revision;
    first = 1 + Math.max(...[...view.entries.keys()].map((key) => Number(/^all\/(\d+)$/.exec(key)?.[1] ?? -1)));
  }
  expect(answered.size).toBeGreaterThan(KILLS * 5);
}, 30_000);

test('a second process on the same directory is refused and names the first; its lock does not outlive a kill', async () => {
  const child = spawn(process.execPath, [CHILD, directory, '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  await expect(openEmbedded({ directory })).rejects.toMatchObject({
    code: 'state_unavailable',
    message: expect.stringContaining(`in use by process ${child.pid}`),
  });
  child.kill('SIGKILL');
  await ended;
  const store = await openEmbedded({ directory });
  await expect(openEmbedded({ directory })).rejects.toMatchObject({ details: { pid: process.pid } });
  await store.close();
});

test('a lock of a process whose id another one has now does not block', async () => {
  writeFileSync(join(directory, 'lock'), `${process.pid} 1\n`);
  await (await openEmbedded({ directory })).close();
  writeFileSync(join(directory, 'lock'), 'not a lock');
  await (await openEmbedded({ directory })).close();
});

test('keys under a lease vanish with the process, in a revision of their own', async () => {
  const store = await openEmbedded({ directory });
  const lease = await store.lease(60_000);
  await store.commit({
    expect: [],
    write: [
      { key: 'h', value: 1, lease: lease.id },
      { key: 'k', value: 1 },
    ],
  });
  await store.close();
  const again = await openEmbedded({ directory });
  const view = await again.read('');
  expect([[...view.entries.keys()], view.revision]).toEqual([['k'], 2]);
  await again.close();
});

describe('a directory that is not what was written', () => {
  beforeEach(async () => {
    const store = await openEmbedded({ directory });
    const write = Array.from({ length: 200 }, (_, n) => ({ key: `k${n}`, value: 'value'.repeat(50) }));
    await store.commit({ expect: [], write });
    await store.close();
  });
  const file = (name: string) => join(directory, name);
  const refusal = () => openEmbedded({ directory });

  test('is refused when the data is truncated', async () => {
    truncateSync(file('data.mdb'), 20_000);
    await expect(refusal()).rejects.toMatchObject({ code: 'state_unavailable', message: expect.stringContaining('20000 bytes') });
  });

  test('is refused when the data is gone', async () => {
    rmSync(file('data.mdb'));
    await expect(refusal()).rejects.toMatchObject({ message: expect.stringContaining('is missing; restore a backup') });
  });

  test('is refused when the data is something else', async () => {
    writeFileSync(file('data.mdb'), Buffer.alloc(1_000_000, 7));
    await expect(refusal()).rejects.toMatchObject({ message: expect.stringContaining('not an LMDB file') });
  });

  test('is refused when a value was altered', async () => {
    const data = readFileSync(file('data.mdb'));
    for (let at = data.indexOf('valuevalue'); at >= 0; at = data.indexOf('valuevalue', at + 5_000)) data.write('VALUE', at);
    writeFileSync(file('data.mdb'), data);
    await expect(refusal()).rejects.toMatchObject({ message: expect.stringMatching(/the value of "k\d+" fails its checksum/) });
  });

  test('is foreign when it holds an LMDB that Reactor did not make, or a later format', async () => {
    const seal = readFileSync(file('state.json'), 'utf8');
    rmSync(file('state.json'));
    await expect(refusal()).rejects.toMatchObject({
      code: 'state_foreign',
      message: expect.stringContaining("is not Reactor's"),
    });
    writeFileSync(file('state.json'), seal.replace('reactor-state-1', 'reactor-state-9'));
    await expect(refusal()).rejects.toMatchObject({ code: 'state_foreign', message: expect.stringContaining('reactor-state-1') });
  });

  test('can be opened again after each refusal: the lock is given back', async () => {
    const seal = readFileSync(file('state.json'), 'utf8');
    writeFileSync(file('state.json'), 'x');
    await expect(refusal()).rejects.toMatchObject({ code: 'state_foreign' });
    writeFileSync(file('state.json'), seal);
    await (await openEmbedded({ directory })).close();
  });

  test('is refused when it cannot be created', async () => {
    const inside = join(directory, 'data.mdb', 'state');
    await expect(openEmbedded({ directory: inside })).rejects.toMatchObject({
      code: 'state_unavailable',
      message: expect.stringContaining('must exist or be creatable'),
    });
  });
});
