import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { markFile, portFile } from '../src/mark-file.js';

/** The newest epoch a host has obeyed, and the port it hands out next, on a real disk. */

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'reactor-mark-'));
  path = join(directory, 'epoch');
});

afterEach(() => rmSync(directory, { recursive: true }));

test('is none before one was written, and then the last one, for whoever opens the file', () => {
  expect(markFile(path).read()).toBeNull();
  markFile(path).write({ epoch: 7, host: 'vm1' });
  markFile(path).write({ epoch: 8, host: 'vm2' });
  expect(markFile(path).read()).toEqual({ epoch: 8, host: 'vm2' });
  expect(readdirSync(directory)).toEqual(['epoch']);
});

test('what a crash left half written beside it does not count', () => {
  markFile(path).write({ epoch: 7, host: 'vm1' });
  writeFileSync(`${path}.new`, '{"epoch":9');
  expect(markFile(path).read()).toEqual({ epoch: 7, host: 'vm1' });
});

test.each([
  ['empty', () => ''],
  ['cut off', (text: string) => text.slice(0, -20)],
  ['changed', (text: string) => text.replace('7', '6')],
  ['longer', (text: string) => `${text}more`],
  ['something else', () => 'NUL\0\0\0'],
])('a file that is %s is an error that names it, never no mark', (_how, damage) => {
  markFile(path).write({ epoch: 7, host: 'vm1' });
  writeFileSync(path, damage(readFileSync(path, 'utf8')));
  expect(() => markFile(path).read()).toThrow(
    expect.objectContaining({ code: 'mark_unreadable', message: expect.stringContaining(`${path}, which remembers`) }),
  );
});

test('a disk that takes nothing is an error, and the former mark stays', () => {
  const keeper = markFile(path);
  keeper.write({ epoch: 7, host: 'vm1' });
  expect(() => markFile(join(directory, 'none', 'epoch')).write({ epoch: 8, host: 'vm1' })).toThrow(
    expect.objectContaining({ code: 'mark_unreadable' }),
  );
  expect(keeper.read()).toEqual({ epoch: 7, host: 'vm1' });
});

test('the next port is remembered; a damaged file is as none, a disk that does not answer is an error', () => {
  expect(portFile(path).read()).toBeNull();
  portFile(path).write(20_016);
  expect(portFile(path).read()).toBe(20_016);
  writeFileSync(path, readFileSync(path, 'utf8').replace('2', '3'));
  expect(portFile(path).read()).toBeNull();
  rmSync(path);
  mkdirSync(path);
  expect(() => portFile(path).read()).toThrow(expect.objectContaining({ code: 'mark_unreadable' }));
  expect(() => portFile(path).write(20_032)).toThrow(expect.objectContaining({ code: 'mark_unreadable' }));
});
