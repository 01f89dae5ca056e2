import fc from 'fast-check';
import { LogLines } from '../src/log-line.js';
import { Traffic } from '../src/traffic.js';
import { UsualLines } from '../src/usual-line.js';
import { groupServices } from '../src/virtual-service.js';
import { backendAt, serviceAt } from './services.js';

const NOW_MS = 1_700_000_000_500;
const SECOND = 1_700_000_000;
const SERVICES = [
  serviceAt('pyex', 80, { backends: [backendAt(81, 'a'), backendAt(82, 'b')] }),
  serviceAt('beside', 80, { backends: [backendAt(83, 'c')] }),
  serviceAt('other', 90, { backends: [backendAt(84, 'd', 1, '10.255.0.1')] }),
];
const TOKENS = groupServices(SERVICES).virtual.map(({ token }) => token);
/** Longer than any usual line, so that the shorter way is taken up to the last line before it. */
const PADDING = `${'x'.repeat(200)}\n`;

function configured(): Traffic {
  const traffic = new Traffic();
  traffic.configure(SERVICES, NOW_MS);
  return traffic;
}

function read(text: string, general: boolean) {
  const traffic = configured();
  const lines = new LogLines(traffic, general);
  const buffer = Buffer.from(text, 'latin1');
  // In two chunks, so that a second is counted on after its report was made.
  const middle = buffer.indexOf(10, Math.floor(buffer.length / 2)) + 1;
  lines.scan(buffer, 0, middle, SECOND);
  const early = traffic.report(NOW_MS, new Map());
  lines.scan(buffer, middle, buffer.length, SECOND);
  return { early, late: traffic.report(NOW_MS, new Map()), bad: lines.bad };
}

const digits = (longest: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${longest}}$`));
const address = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('127.0.0.1:81', '127.0.0.1:82', '127.0.0.1:83', '10.255.0.1:84', '10.9.9.9:80') },
  fc.stringMatching(/^[0-9]{0,4}\.[0-9]{0,4}\.[0-9]{0,4}\.[0-9]{0,4}:[0-9]{0,14}$/),
  fc.constantFrom('-', '[fd00::1]:83', 'unix:/x', '127.0.0.1:81, 127.0.0.1:82', '127.0.0.1:81 : ', '127.0.0.1'),
);
const status = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('200', '404', '499', '500', '502', '504') },
  fc.constantFrom('-', '0', '000', '099', '1000', '502, 200'),
);
const time = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.nat(3), fc.nat(999)).map(([s, ms]) => `${s}.${String(ms).padStart(3, '0')}`) },
  fc.constantFrom('-', '1', '1.', '1.23', '1.2345', '999999.999', '1234567.000', '0.001, 0.002', '.123'),
);
const moment = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(`${SECOND}.000`, `${SECOND - 1}.999`, `${SECOND - 3}.5`, `${SECOND + 99}.000`) },
  fc.constantFrom(`${SECOND - 9_999}.000`, '9999999999.000', '2147483648.000', '17000000001.000', '1.000', `${SECOND}.`, '-'),
);
const token = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...TOKENS) },
  fc.constantFrom('0123456789ab', '0123456789AB', 'fffffffffff', 'fffffffffffff'),
);
const bytes = fc.oneof({ weight: 8, arbitrary: digits(7) }, digits(17), fc.constantFrom('-', ''));
const line = fc.tuple(token, moment, status, bytes, address, status, time, time).map((fields) => `${fields.join('\t')}\n`);

interface Damage {
  readonly kind: 'cut' | 'put' | 'change';
  readonly where: number;
  readonly byte: string;
}

const damage = fc.record<Damage>({
  kind: fc.constantFrom('cut', 'put', 'change'),
  where: fc.nat(),
  byte: fc.constantFrom('\0', '\t', '\n', ' ', ',', '-', '.', '0', '9', '/', ':', 'a', 'g', '\xff'),
});

function damaged(text: string, { kind, where, byte }: Damage): string {
  const at = where % text.length;
  return text.slice(0, at) + (kind === 'cut' ? '' : byte) + text.slice(kind === 'put' ? at : at + 1);
}

test('the shorter way counts what the general one counts, whatever the lines hold and however they are mutilated', () => {
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 20 }), fc.array(damage, { maxLength: 6 }), (lines, damages) => {
      const text = damages.reduce(damaged, lines.join('')) + PADDING;
      expect(read(text, false)).toEqual(read(text, true));
    }),
    { numRuns: 2_000 },
  );
});

test('usual lines do go the shorter way, and leave the others to the general one before anything is counted', () => {
  const usual = `${TOKENS[0]}\t${SECOND}.123\t200\t10\t127.0.0.1:81\t200\t0.001\t0.250\n`;
  const readOne = (text: string) => {
    const traffic = configured();
    const lines = new UsualLines(traffic);
    lines.begin(SECOND);
    const buffer = Buffer.from(text + PADDING, 'latin1');
    const behind = lines.read(buffer, 0, buffer.length);
    return { behind, counted: traffic.report(NOW_MS, new Map())['pyex']!.buckets.length };
  };
  expect(readOne(usual)).toEqual({ behind: usual.length, counted: 1 });
  const others = [usual.replace('0.250', '-'), usual.replace('\t10\t', '\t-\t'), usual.replace('127.0.0.1:81', '[::1]:81')];
  for (const other of others) expect(readOne(other)).toEqual({ behind: -1, counted: 0 });
});
