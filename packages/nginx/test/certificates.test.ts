import { createPrivateKey, X509Certificate } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KeyPair } from '@reactor/core';
import { Certificates } from '../src/certificates.js';
import { selfSigned } from '../src/self-signed.js';
import { groupServices } from '../src/virtual-service.js';
import { serviceAt } from './services.js';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 10, 21);

let directory: string;
let nowMs: number;
let said: string[];
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'certificates-')), 'kept');
  nowMs = START_MS;
  said = [];
});
afterEach(() => rmSync(join(directory, '..'), { recursive: true, force: true }));

/** As after a restart of the daemon. */
const opened = () => new Certificates({ directory, now: () => nowMs, log: (level, message) => said.push(`${level} ${message}`) });
const virtual = (host: string | null, pair?: KeyPair) =>
  groupServices([
    serviceAt('a', 443, {
      scheme: 'https',
      host,
      nginx: { ssl: true, sslCertificate: pair?.certificate ?? null, sslKey: pair?.key ?? null },
    }),
  ]).virtual[0]!;
const pairOf = (certificates: Certificates, host: string | null = 'a.example') => certificates.complete(virtual(host)).tls!.pair!;
const fileOf = () => join(directory, readdirSync(directory)[0]!);

describe('a self-signed certificate', () => {
  test.each([
    ['a.example'],
    ['a_b'],
    ['xn--bcher-kva.example'],
    ['10.0.0.1'],
    ['fd00::1'],
    ['::ffff:1.2.3.4'],
    [`${'a'.repeat(60)}.${'b'.repeat(60)}.example`],
  ])('for %s names it, is signed by its own key and is for servers alone', (name) => {
    const { certificate, key } = selfSigned({ names: [name, 'localhost'], fromMs: START_MS, untilMs: START_MS + DAY_MS });
    const leaf = new X509Certificate(certificate);
    expect(leaf.checkHost(name) ?? leaf.checkIP(name)).toBe(name);
    expect(leaf.checkHost('localhost')).toBe('localhost');
    expect(leaf.checkHost('b.example')).toBeUndefined();
    expect([leaf.verify(leaf.publicKey), leaf.checkPrivateKey(createPrivateKey(key)), leaf.ca]).toEqual([true, true, false]);
    expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(leaf.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect([Date.parse(leaf.validFrom), Date.parse(leaf.validTo)]).toEqual([START_MS, START_MS + DAY_MS]);
  });

  test('is valid across 2050, where dates are written differently', () => {
    const [fromMs, untilMs] = [Date.UTC(2049, 11, 31, 23, 59, 59), Date.UTC(2050, 0, 1)];
    const leaf = new X509Certificate(selfSigned({ names: ['a'], fromMs, untilMs }).certificate);
    expect([Date.parse(leaf.validFrom), Date.parse(leaf.validTo)]).toEqual([fromMs, untilMs]);
  });

  test('never has the serial number of another', () => {
    const serials = Array.from(
      { length: 20 },
      () =>
        new X509Certificate(selfSigned({ names: ['a'], fromMs: START_MS, untilMs: START_MS + DAY_MS }).certificate).serialNumber,
    );
    expect(new Set(serials).size).toBe(20);
  });
});

describe('what is kept', () => {
  test('is one pair per host, the same after a restart, for its owner alone', () => {
    const first = opened();
    const pair = pairOf(first);
    expect(pairOf(first)).toEqual(pair);
    expect(pairOf(opened())).toEqual(pair);
    expect(pairOf(first, 'b.example')).not.toEqual(pair);
    expect(new X509Certificate(pairOf(first, null).certificate).checkHost('localhost')).toBe('localhost');
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(readdirSync(directory).map((name) => [name.slice(-4), statSync(join(directory, name)).mode & 0o777])).toEqual(
      Array(3).fill(['.pem', 0o600]),
    );
  });

  test('is made anew 30 days before it runs out, in a running daemon and in a new one', () => {
    const certificates = opened();
    const pair = pairOf(certificates);
    nowMs = START_MS + 789 * DAY_MS;
    expect(pairOf(certificates)).toEqual(pair);
    nowMs += 2 * DAY_MS;
    const next = pairOf(certificates);
    expect(next).not.toEqual(pair);
    expect(pairOf(opened())).toEqual(next);
  });

  test.each<[string, () => void, RegExp]>([
    ['readable by others', () => chmodSync(fileOf(), 0o644), /others than its owner/],
    [
      'a link to another file',
      () => {
        renameSync(fileOf(), join(directory, '../elsewhere'));
        symlinkSync('../elsewhere', join(directory, 'link'));
        renameSync(join(directory, 'link'), join(directory, kept));
      },
      /ELOOP/,
    ],
    ['cut off', () => writeOver((text) => text.slice(0, 100)), /not one certificate and one key/],
    ["another host's", () => copyFileSync(anotherFile(), join(directory, kept)), /names other hosts/],
    [
      'of two pairs',
      () => writeOver((text) => text.split('-----BEGIN P')[0]! + selfSigned(ONE_DAY).key),
      /not that of the certificate/,
    ],
  ])('and %s is replaced, and the reason told', (_what, spoil, reason) => {
    const pair = pairOf(opened());
    kept = readdirSync(directory)[0]!;
    spoil();
    const next = pairOf(opened());
    expect(next).not.toEqual(pair);
    expect(said.join('\n')).toMatch(reason);
    expect(statSync(join(directory, kept)).mode & 0o777).toBe(0o600);
    expect(pairOf(opened())).toEqual(next);
  });
});

let kept = '';
const ONE_DAY = { names: ['a.example'], fromMs: START_MS, untilMs: START_MS + DAY_MS };
const writeOver = (change: (text: string) => string) => {
  const path = fileOf();
  writeFileSync(path, change(readFileSync(path, 'utf8')), { mode: 0o600 });
};
const anotherFile = () => {
  pairOf(opened(), 'b.example');
  return join(directory, readdirSync(directory).find((name) => name !== kept)!);
};

test('a given certificate is left as it is, and its end is told once, 14 days before', () => {
  const pair = selfSigned({ names: ['a.example'], fromMs: START_MS, untilMs: START_MS + 20 * DAY_MS });
  const certificates = opened();
  const given = virtual('a.example', pair);
  expect(certificates.complete(given)).toBe(given);
  expect(said).toEqual([]);
  nowMs += 7 * DAY_MS;
  certificates.complete(given);
  certificates.complete(given);
  expect(said).toEqual(['warning the certificate of https://a.example runs out on 2026-12-11']);
});
