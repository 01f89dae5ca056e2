import { type DaemonConfig, resolveDaemon, withPushed } from '@reactor/config';
import { type ConfigDocument, KEYS, LOGS, type StateStore } from '@reactor/core';
import { createFakeStore, until } from '@reactor/testkit';
import { openPushed, type PushedConfig } from '../src/pushed-config.js';
import { systemClock } from '../src/system-clock.js';

const FILE: ConfigDocument = { manager: { interval: '2' }, 'cloud:docker': { slots: '100', labels: 'size=s' } };
const resolve = (pushed: ConfigDocument): DaemonConfig => resolveDaemon(withPushed(FILE, pushed), {}, 'vm1').config;

let store: StateStore;
let pushed: PushedConfig;
beforeEach(async () => {
  store = createFakeStore({ now: Date.now });
  const about = { store, clock: systemClock, manager: 'vm1', resolve };
  pushed = await openPushed({ ...about, log: () => undefined, changed: () => undefined });
});
afterEach(async () => {
  await pushed.close();
  await store.close();
});

async function push(document: ConfigDocument | null): Promise<void> {
  await store.commit({ expect: [], write: [{ key: KEYS.managerConfig('vm1'), value: document === null ? null : { document } }] });
}

test('what is pushed beats the file while it is there, and the rest of the file still counts', async () => {
  expect(pushed.current().docker).toMatchObject({ slots: 100, labels: { size: 's' } });
  await push({ 'cloud:docker': { slots: '7' }, manager: { interval: '5' } });
  await until('the slots are those pushed', 5_000, () => pushed.current().docker.slots === 7);
  expect(pushed.current()).toMatchObject({ docker: { labels: { size: 's' } }, manager: { intervalMs: 5_000 } });
  await push(null);
  await until('the slots are those of the file', 5_000, () => pushed.current().docker.slots === 100);
  expect(pushed.current().manager.intervalMs).toBe(2_000);
});

test('the log of the manager says what was taken up and what waits for a restart', async () => {
  await push({ 'cloud:docker': { slots: '7', port_range: '21000-21999' } });
  await until('it is taken up', 5_000, () => pushed.current().docker.slots === 7);
  await until('it is told', 5_000, async () => (await store.tail(LOGS.manager('vm1'), 0, 10)).length === 2);
  const told = await store.tail(LOGS.manager('vm1'), 0, 10);
  expect(told.map(({ level, message }) => [level, message])).toEqual([
    ['info', 'taken up: cloud:docker.slots'],
    ['warning', 'in force after a restart: cloud:docker.port_range'],
  ]);
});

test('what this version does not accept is as good as nothing', () => {
  expect(resolve({ 'cloud:docker': { slots: 'many' } }).docker.slots).toBe(100);
  expect(resolve({ manager: { state: 'redis://elsewhere' } }).manager.state).toBe('embedded');
});
