import { appendFileSync, existsSync, mkdtempSync, renameSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LogLines } from '../src/log-line.js';
import { LogReader } from '../src/log-reader.js';
import { Traffic } from '../src/traffic.js';
import { groupServices } from '../src/virtual-service.js';
import { serviceAt } from './services.js';

const NOW_MS = 1_700_000_000_000;
const SERVICE = serviceAt('pyex', 80);
const TOKEN = groupServices([SERVICE]).virtual[0]!.token;
const lines = (count: number, atMs = NOW_MS) =>
  `${TOKEN}\t${(atMs / 1000).toFixed(3)}\t200\t10\t127.0.0.1:8000\t200\t0.000\t0.001\n`.repeat(count);

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function setUp() {
  const folder = mkdtempSync(join(tmpdir(), 'reader-'));
  folders.push(folder);
  const path = join(folder, 'access.log');
  const traffic = new Traffic();
  traffic.configure([SERVICE], NOW_MS);
  const scanner = new LogLines(traffic);
  const held = { value: true as boolean | null };
  const reader = new LogReader({ path, lines: scanner, isOpenInNginx: () => held.value });
  const count = async () => {
    await reader.read(NOW_MS);
    return traffic.report(NOW_MS, new Map())['pyex']!.buckets.reduce((sum, bucket) => sum + bucket.requests, 0);
  };
  return { path, reader, held, count, scanner };
}

test('a log that appears later is read from its start', async () => {
  const { path, reader, count } = setUp();
  await reader.open(NOW_MS);
  expect(await count()).toBe(0);
  writeFileSync(path, lines(3));
  expect(await count()).toBe(3);
  expect(reader.completeSinceMs).toBe(NOW_MS);
  await reader.close();
});

test('half a line waits for its other half', async () => {
  const { path, reader, count, scanner } = setUp();
  writeFileSync(path, lines(1) + lines(1).slice(0, 20));
  await reader.open(NOW_MS);
  expect(await count()).toBe(1);
  appendFileSync(path, lines(1).slice(20));
  expect(await count()).toBe(2);
  expect(scanner.bad).toBe(0);
  await reader.close();
});

test('lines across chunks are counted once each', async () => {
  const { path, reader, count } = setUp();
  writeFileSync(path, lines(20_000));
  await reader.open(NOW_MS);
  expect(await count()).toBe(20_000);
  expect(await count()).toBe(20_000);
  await reader.close();
});

test('a renamed log is read on until nginx has closed it, beside its successor', async () => {
  const { path, reader, count, held } = setUp();
  writeFileSync(path, lines(1));
  await reader.open(NOW_MS);
  await count();
  renameSync(path, `${path}.1`);
  appendFileSync(`${path}.1`, lines(10));
  writeFileSync(path, lines(100));
  expect(await count()).toBe(111);
  appendFileSync(`${path}.1`, lines(1000));
  appendFileSync(path, lines(10_000));
  held.value = false;
  expect(await count()).toBe(11_111);
  expect(existsSync(`${path}.1`)).toBe(true);
  await reader.close();
});

test('a log we moved aside is deleted at its end, also by the next daemon', async () => {
  const { path, reader, count, held } = setUp();
  writeFileSync(path, lines(5));
  await reader.open(NOW_MS);
  await count();
  expect(await reader.moveAside()).toBe(true);
  writeFileSync(path, lines(2));
  expect(await count()).toBe(7);
  expect(await reader.moveAside()).toBe(false);
  await reader.close();

  const next = new LogReader({ path, lines: new LogLines(new Traffic()), isOpenInNginx: () => held.value });
  await next.open(NOW_MS);
  await next.read(NOW_MS);
  expect(existsSync(`${path}.old`)).toBe(true);
  held.value = false;
  await next.read(NOW_MS);
  expect(existsSync(`${path}.old`)).toBe(false);
  await next.close();
});

test('a truncated log is read from its start, and what it lost is admitted', async () => {
  const { path, reader, count } = setUp();
  writeFileSync(path, lines(50));
  await reader.open(NOW_MS - 60_000);
  expect(reader.completeSinceMs).toBeLessThan(NOW_MS);
  await count();
  truncateSync(path);
  appendFileSync(path, lines(3));
  expect(await count()).toBe(53);
  // Whole seconds: the last one before it is the least a rate can rest on.
  expect(reader.completeSinceMs).toBe(Math.floor(NOW_MS / 1_000) * 1_000 - 1_000);
  await reader.close();
});

test('a log that was truncated and outgrew its former length between two looks is noticed', async () => {
  const { path, reader, count } = setUp();
  writeFileSync(path, lines(5));
  await reader.open(NOW_MS);
  await count();
  truncateSync(path);
  appendFileSync(path, lines(9, NOW_MS - 1000));
  expect(await count()).toBe(14);
  await reader.close();
});

test('a deleted log is read on, and its absence is noticed', async () => {
  const { path, reader, count } = setUp();
  writeFileSync(path, lines(5));
  await reader.open(NOW_MS);
  expect(await count()).toBe(5);
  unlinkSync(path);
  expect(await count()).toBe(5);
  expect(reader.missing).toBe(true);
  writeFileSync(path, lines(2));
  expect(await count()).toBe(7);
  await reader.close();
});

test('a line without end is one bad line and not kept', async () => {
  const { path, reader, count, scanner } = setUp();
  writeFileSync(path, `${lines(1)}${'x'.repeat(700_000)}`);
  await reader.open(NOW_MS);
  expect(await count()).toBe(1);
  appendFileSync(path, `${'x'.repeat(10)}\n${lines(1)}`);
  expect(await count()).toBe(2);
  expect(scanner.bad).toBe(1);
  await reader.close();
});

test('of a large log only the tail is read again, and it says since when it is complete', async () => {
  const { path, reader, count } = setUp();
  const old = lines(200_000, NOW_MS - 8_000);
  const recent = lines(1_000, NOW_MS - 2_000);
  writeFileSync(path, old + recent);
  await reader.open(NOW_MS);
  const seen = await count();
  expect(seen).toBeGreaterThan(100_000);
  expect(seen).toBeLessThan(201_000);
  expect(reader.completeSinceMs).toBe(NOW_MS - 8_000 + 1_000);
  await reader.close();
});
