import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import type { KeyPair } from '@reactor/core';

/**
 * A certificate that vouches for itself, for a host whose operator gave none. Node makes keys and signatures but writes no
 * X.509; the one shape that is needed is written out here, as RFC 5280 has it, rather than by one of the libraries that
 * bring a dozen others into a program that runs as root. The tests have OpenSSL read it.
 */
export interface SelfSignedOptions {
  /** Host names and addresses; the first is its subject. */
  readonly names: readonly string[];
  readonly fromMs: number;
  readonly untilMs: number;
}

/** X.520 allows no more in a common name; clients read the alternative names anyway. */
const COMMON_NAME_MAX = 64;

const OID = {
  commonName: '2.5.4.3',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  subjectKeyIdentifier: '2.5.29.14',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
} as const;

export function selfSigned({ names, fromMs, untilMs }: SelfSignedOptions): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicInfo = publicKey.export({ type: 'spki', format: 'der' });
  const algorithm = sequence(objectId(OID.ecdsaWithSha256));
  const commonName = names[0]!.length <= COMMON_NAME_MAX ? names[0]! : 'reactor';
  const name = sequence(tagged(0x31, sequence(objectId(OID.commonName), tagged(0x0c, Buffer.from(commonName)))));
  const body = sequence(
    // Version 3, counted from 0.
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(serialNumber()),
    algorithm,
    name,
    sequence(time(fromMs), time(untilMs)),
    name,
    publicInfo,
    tagged(0xa3, sequence(...extensions(names, publicInfo))),
  );
  const certificate = sequence(body, algorithm, bits(sign('sha256', body, privateKey)));
  return {
    certificate: pem('CERTIFICATE', certificate),
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
  };
}

function extensions(names: readonly string[], publicInfo: Buffer): readonly Buffer[] {
  const critical = tagged(0x01, Buffer.from([0xff]));
  const extension = (id: string, value: Buffer, ...flags: readonly Buffer[]): Buffer =>
    sequence(objectId(id), ...flags, tagged(0x04, value));
  // Of SHA-256's bits as many as SHA-1 has: any unique number will do.
  const keyId = createHash('sha256').update(publicInfo).digest().subarray(0, 20);
  return [
    extension(OID.basicConstraints, sequence(), critical),
    // The first bit, digitalSignature; the seven behind it are unused.
    extension(OID.keyUsage, tagged(0x03, Buffer.from([7, 0x80])), critical),
    extension(OID.extendedKeyUsage, sequence(objectId(OID.serverAuth))),
    extension(OID.subjectKeyIdentifier, tagged(0x04, keyId)),
    extension(OID.subjectAltName, sequence(...names.map(alternativeName))),
  ];
}

function alternativeName(name: string): Buffer {
  const family = isIP(name);
  if (family === 0) return tagged(0x82, Buffer.from(name, 'ascii'));
  return tagged(0x87, family === 4 ? Buffer.from(name.split('.').map(Number)) : ipv6Bytes(name));
}

function ipv6Bytes(address: string): Buffer {
  // The URL parser writes an embedded IPv4 address as two groups, too.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string): readonly number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const left = groups(head);
  const right = tail === undefined ? [] : groups(tail);
  const all = [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right];
  return Buffer.from(all.flatMap((group) => [group >>> 8, group & 0xff]));
}

/** Positive, and of full length: a leading 01 keeps the sign bit clear and the zero from being dropped. */
const serialNumber = (): Buffer => Buffer.concat([Buffer.from([1]), randomBytes(15)]);

function tagged(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(content.length)]), content]);
}

function lengthBytes(length: number): readonly number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >>> 8, length & 0xff];
}

const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, ...parts);
const integer = (bytes: Buffer): Buffer => tagged(0x02, bytes);
const bits = (bytes: Buffer): Buffer => tagged(0x03, Buffer.from([0]), bytes);

function objectId(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = rest.flatMap((part) => {
    const groups = [part & 0x7f];
    for (let left = part >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    return groups;
  });
  return tagged(0x06, Buffer.from([first * 40 + second, ...bytes]));
}

/** Two digits of the year until 2049, as RFC 5280 demands, four from then on. */
function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');
  return Number(digits.slice(0, 4)) < 2050 ? tagged(0x17, Buffer.from(digits.slice(2))) : tagged(0x18, Buffer.from(digits));
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
