import { aHost, anEndpointConfig, createWorld, type World } from '@reactor/testkit';
import { type Connection, type Ending, unansweredIn } from '../src/kernel-connections.js';
import { createSeverance } from '../src/severance.js';

/** This is vm1. What the kernel and the network say is written here; that nginx is helped by it is shown on three hosts. */

const target = (host: string, port: number) => ({ host, port });
const from = (port: number, remote: Connection['remote']): Connection => ({ local: target('10.0.0.1', port), remote });

const ONE = target('10.0.0.2', 20_001);
const TWO = target('10.0.0.2', 20_002);
const ELSEWHERE = target('10.0.0.3', 20_003);

let world: World;
let vain: readonly Connection[];
let silent: readonly Connection['remote'][];
let ended: Ending[];
let lines: string[];
let probed: number;
let failure: Error | null;

const severance = () =>
  createSeverance({
    host: 'vm1',
    connections: {
      unanswered: async () => vain,
      end: async (which) => {
        if (failure !== null) throw failure;
        ended.push(...which);
        return which.length;
      },
    },
    probe: async ({ host, port }) => {
      probed += 1;
      return silent.some((one) => one.host === host && one.port === port) ? 'no connection' : null;
    },
    log: (_level, message) => void lines.push(message),
  });

beforeEach(() => {
  const config = anEndpointConfig({ scaling: { minInstances: 4, maxInstances: 4, rules: [] } });
  world = createWorld({ endpoints: { web: config }, hosts: [aHost('vm1'), aHost('vm2')] });
  world.run(5);
  const own = world.instances('web').filter(({ host }) => host === 'vm1');
  const other = world.instances('web').filter(({ host }) => host === 'vm2');
  world.report(own[0]!.id, { address: target('10.0.0.1', 20_001) });
  world.report(own[1]!.id, { address: target('10.0.0.1', 20_002) });
  world.report(other[0]!.id, { address: ONE });
  world.report(other[1]!.id, { address: TWO });
  [vain, silent, ended, lines, probed, failure] = [[], [], [], [], 0, null];
});

test('while all is acknowledged nobody is asked and nothing is ended', async () => {
  await severance().round(world.cluster());
  expect({ ended, probed, lines }).toEqual({ ended: [], probed: 0, lines: [] });
});

test('a connection that is not acknowledged is ended; the others of its machine stay while it takes new ones', async () => {
  vain = [from(40_000, ONE)];
  await severance().round(world.cluster());
  expect(ended).toEqual(vain);
  expect(probed).toBe(2);
});

test('all connections to the instances of that machine that take no new ones are ended', async () => {
  vain = [from(40_000, ONE)];
  silent = [ONE, TWO];
  await severance().round(world.cluster());
  expect(ended).toEqual([...vain, { remote: ONE }, { remote: TWO }]);
  expect(lines).toEqual([expect.stringMatching(/^10\.0\.0\.2: .* 2 of 2 instances take no connection: 3 connections ended$/)]);
});

test('what is no instance of another host is left alone', async () => {
  vain = [from(40_000, ELSEWHERE), from(40_001, target('10.0.0.1', 20_001)), from(40_002, target('10.0.0.2', 6_379))];
  await severance().round(world.cluster());
  expect({ ended, probed }).toEqual({ ended: [], probed: 0 });
});

test('where nothing can be ended it is said once, and all goes on', async () => {
  failure = new Error('spawn ss ENOENT');
  vain = [from(40_000, ONE)];
  const one = severance();
  await one.round(world.cluster());
  await one.round(world.cluster());
  await one.sever(TWO);
  expect(lines).toEqual(['connections to a dead machine cannot be ended: spawn ss ENOENT']);
});

const HEADER = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';

test.each([
  [
    'repeated four times',
    '0200000A:9C40 0300000A:4E21 01 00000073:00000000 01:00000109 00000004',
    '10.0.0.2:40000 10.0.0.3:20001',
  ],
  [
    'repeated ten times',
    '0200000A:9C40 0300000A:4E21 01 00000073:00000000 01:00000109 0000000A',
    '10.0.0.2:40000 10.0.0.3:20001',
  ],
  ['repeated three times', '0200000A:9C40 0300000A:4E21 01 00000073:00000000 01:00000109 00000003', ''],
  ['idle', '0200000A:9C40 0300000A:4E21 01 00000000:00000000 00:00000000 00000000', ''],
  ['not taken, for there is no room', '0200000A:9C40 0300000A:4E21 01 00000073:00000000 04:00000109 00000005', ''],
  ['still connecting', '0200000A:9C40 0300000A:4E21 02 00000001:00000000 01:00000109 00000005', ''],
  [
    'IPv4 over IPv6',
    '0000000000000000FFFF00000200000A:9C40 0000000000000000FFFF00000300000A:4E21 01 00000073:00000000 01:00000109 00000004',
    '10.0.0.2:40000 10.0.0.3:20001',
  ],
  [
    'IPv6',
    '000080FE000000000000000001000000:9C40 B80D0120000000000000000002000000:4E21 01 00000073:00000000 01:00000109 00000004',
    'fe80::1:40000 2001:db8::2:20001',
  ],
])('the kernel says of a connection: %s', (_what, fields, found) => {
  const table = `${HEADER}\n   0: ${fields}     0        0 12345 1 ffff8881 20 4 0 10 -1\n`;
  expect(unansweredIn(table).map(({ local, remote }) => `${local.host}:${local.port} ${remote.host}:${remote.port}`)).toEqual(
    found === '' ? [] : [found],
  );
});
