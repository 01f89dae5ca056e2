import { duration } from '../src/output/age.js';
import { infoText } from '../src/output/info-text.js';
import { jsonObjectLine, jsonText } from '../src/output/json-text.js';
import { clockTime, logLine } from '../src/output/log-line.js';
import { printable, printableLines } from '../src/output/printable.js';
import { pythonRepr } from '../src/output/python-repr.js';
import { table } from '../src/output/table.js';

const PLAIN = { color: false, clock: false };

describe('printing', () => {
  test('terminal commands, line ends and direction marks in foreign text are shown, not obeyed', () => {
    expect(printable('a\u001b[31mred\u0007\nnext\r\t\u202eevil\u009b1m\u2028\u007f')).toBe(
      'a\\x1b[31mred\\x07\\nnext\\r\\t\\u202eevil\\x9b1m\\u2028\\x7f',
    );
    expect(printable('naïve 漢字 🎉 stays')).toBe('naïve 漢字 🎉 stays');
  });

  test('text of several lines keeps its line ends and nothing else', () => {
    expect(printableLines('a\n\tb\u001b]0;title\u0007\r\n')).toBe('a\n\tb\\x1b]0;title\\x07\\r\n');
  });

  test('JSON stays the same value when its control characters are escaped', () => {
    const value = { 'k\u009b': 'x\u202ey\u007f\u001b\n\u{e0001}' };
    const text = jsonText(value);
    expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    expect(JSON.parse(text)).toEqual(value);
  });

  test('metrics are one line with spaces, as the walk-through shows them', () => {
    expect(jsonObjectLine({ active: 0 })).toBe('{"active": 0}');
    expect(jsonObjectLine({ active: 2, rate: 33.01 })).toBe('{"active": 2, "rate": 33.01}');
    expect(jsonObjectLine({})).toBe('{}');
  });

  test('a table aligns its columns, numbers to the right, and marks empty cells', () => {
    const rows = [
      ['web', 'RUNNING', '5'],
      ['longer-name', '', '12'],
    ];
    expect(table(['NAME', 'STATE', 'N'], rows)).toEqual([
      'NAME         STATE     N',
      'web          RUNNING   5',
      'longer-name  -        12',
    ]);
    expect(table(null, [['a', 'ready']])).toEqual(['a  ready']);
    expect(table(['NAME'], [])).toEqual(['NAME']);
    expect(table(null, [])).toEqual([]);
  });

  test('a table cell cannot break the line or colour the terminal', () => {
    expect(table(null, [['a\nb', '\u001b[0m']])).toEqual(['a\\nb  \\x1b[0m']);
  });

  test('durations show their two largest units', () => {
    const cases: readonly (readonly [number, string])[] = [
      [0, '0s'],
      [420, '0.4s'],
      [9_940, '9.9s'],
      [12_345, '12s'],
      [185_000, '3m 5s'],
      [180_000, '3m'],
      [7_800_000, '2h 10m'],
      [349_200_000, '4d 1h'],
      [-5, '0s'],
    ];
    for (const [ms, text] of cases) expect([ms, duration(ms)]).toEqual([ms, text]);
  });
});

describe('log lines', () => {
  test('are seconds, severity and message', () => {
    expect(logLine([1384300800.25, 'INFO', 'Starting pyex', 1, 'ENDPOINT_STARTED'], PLAIN)).toBe(
      '1384300800.250 INFO Starting pyex',
    );
  });

  test('colour the severity as in 2013: errors red, warnings yellow, information blue, others not', () => {
    const colours = ['ERROR', 'WARNING', 'INFO', 'OTHER'].map((severity) =>
      logLine([1, severity, 'x', 1, 'E'], { color: true, clock: false }),
    );
    expect(colours).toEqual([
      '1.000 \u001b[91mERROR\u001b[0m x',
      '1.000 \u001b[93mWARNING\u001b[0m x',
      '1.000 \u001b[94mINFO\u001b[0m x',
      '1.000 OTHER x',
    ]);
  });

  test('keep a message with terminal commands on one line and harmless', () => {
    expect(logLine([1, 'INFO', '\u001b[2Jgone\nINFO forged', 1, 'E'], PLAIN)).toBe('1.000 INFO \\x1b[2Jgone\\nINFO forged');
  });

  test('show local date and time on request, the same in every locale', () => {
    const at = new Date(2026, 10, 21, 3, 2, 7, 50).getTime();
    expect(clockTime(at)).toBe('2026-11-21 03:02:07.050');
    expect(logLine([at / 1000, 'INFO', 'x', 1, 'E'], { color: false, clock: true })).toBe('2026-11-21 03:02:07.050 INFO x');
  });
});

describe("Python 2's repr", () => {
  test('writes every number as a float', () => {
    const cases: readonly (readonly [number, string])[] = [
      [0, '0.0'],
      [-0, '-0.0'],
      [5, '5.0'],
      [33.01, '33.01'],
      [0.1, '0.1'],
      [0.0001, '0.0001'],
      [0.00001234, '1.234e-05'],
      [1e-7, '1e-07'],
      [123456789012345, '123456789012345.0'],
      [1e15, '1000000000000000.0'],
      [1e16, '1e+16'],
      [1.5e300, '1.5e+300'],
    ];
    for (const [value, text] of cases) expect(pythonRepr(value)).toBe(text);
  });

  test('writes names as unicode literals', () => {
    expect(pythonRepr({ active: 0, rate: 1.5 })).toBe("{u'active': 0.0, u'rate': 1.5}");
    expect(pythonRepr({ "it's": true, 'a"\'b': null })).toBe(`{u"it's": True, u'a"\\'b': None}`);
    expect(pythonRepr(['é', '漢', '🎉', '\n\\', '\u0007'])).toBe("[u'\\xe9', u'\\u6f22', u'\\U0001f389', u'\\n\\\\', u'\\x07']");
  });
});

describe('the cluster at a glance', () => {
  const host = {
    id: 'vm1',
    name: 'vm1',
    address: '10.0.0.1',
    state: 'ready',
    heartbeatMs: 9_600,
    leader: true,
    slots: 1000,
    usedSlots: 50,
    cpus: 4,
    usedCpus: 0.1 + 0.2,
    memoryBytes: 8_000_000_000,
    usedMemoryBytes: 512 * 2 ** 20,
    overcommit: 0,
    labels: { size: 'xxl', region: 'eu', operatingsystem: 'Debian 12', kernelversion: '6.1' },
    instances: 5,
    dockerVersion: '20.10.24',
    apiUrl: null,
    dockerError: null,
    startedAtMs: 0,
    version: '0.1.0',
    epochSeen: null,
  } as const;
  const info = {
    active: 12,
    instances: 5,
    managers: 1,
    endpoints: { RUNNING: 2, PAUSED: 1 },
    cluster: 'c1',
    leader: 'vm1',
    brake: null,
    version: '0.1.0',
    hosts: [host, { ...host, id: 'vm2', name: 'vm\u001b2', address: '', state: 'lost', slots: 0, usedSlots: 10, instances: 1 }],
  } as const;

  test('reads as docker info did for a Swarm', () => {
    expect(infoText(info, 10_000)).toEqual([
      'Endpoints: 3 (1 PAUSED, 2 RUNNING)',
      'Instances: 5 serving',
      'Connections: 12 open',
      'Slots: 60 / 1000',
      'CPUs: 8',
      'Memory: 14.9 GiB',
      'Leader: vm1',
      'Cluster: c1',
      'Version: 0.1.0',
      'Hosts: 2',
      ' vm1: 10.0.0.1',
      '  └ State: ready, heard 0.4s ago',
      '  └ Instances: 5',
      '  └ Slots: 50 / 1000',
      '  └ Reserved CPUs: 0.3 / 4',
      '  └ Reserved Memory: 512 MiB / 7.451 GiB',
      '  └ Labels: region=eu, size=xxl',
      '  └ System: Debian 12, kernel 6.1',
      '  └ Docker: 20.10.24',
      '  └ API: on loopback only',
      '  └ Reactor: 0.1.0',
      ' vm\\x1b2',
      '  └ State: lost, heard 0.4s ago',
      '  └ Instances: 1',
    ]);
  });

  test('says below the leader when the brake is on', () => {
    const braked = infoText({ ...info, brake: '3 of 4 hosts were lost within 60 s' }, 10_000);
    const leader = braked.indexOf('Leader: vm1');
    expect(braked.slice(leader, leader + 2)).toEqual([
      'Leader: vm1',
      'Brake: 3 of 4 hosts were lost within 60 s; nothing is replaced or retired',
    ]);
  });

  test('of an empty cluster has nothing to divide by', () => {
    const empty = { ...info, active: 0, instances: 0, managers: 0, endpoints: {}, leader: null, hosts: [] };
    expect(infoText(empty, 0)).toEqual([
      'Endpoints: 0',
      'Instances: 0 serving',
      'Connections: 0 open',
      'Slots: 0 / 0',
      'CPUs: 0',
      'Memory: 0 B',
      'Leader: none',
      'Cluster: c1',
      'Version: 0.1.0',
      'Hosts: 0',
    ]);
  });
});
