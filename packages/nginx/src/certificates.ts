import { createPrivateKey, X509Certificate } from 'node:crypto';
import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { describeError, hasCode, type KeyPair, type LogLevel, shortHash } from '@reactor/core';
import { selfSigned } from './self-signed.js';
import type { VirtualService } from './virtual-service.js';

/**
 * The certificates of hosts whose operator gave none: made here once, self-signed, kept in a directory of this host's own, and
 * made anew before they run out. What is on the disk is believed only if nobody else could have written or read it and it is
 * what would be made today; otherwise another one takes its place.
 */
export interface CertificatesOptions {
  /** For its owner alone; made when it is missing. */
  readonly directory: string;
  /** Wall clock, milliseconds. */
  readonly now: () => number;
  readonly log: (level: LogLevel, message: string) => void;
}

const DAY_MS = 86_400_000;
/** No client accepts more of a certificate that its user trusts by hand (Apple: 825 days). */
const VALID_MS = 820 * DAY_MS;
/** Clients' clocks are late, too. */
const BACKDATED_MS = DAY_MS;
const RENEW_BEFORE_MS = 30 * DAY_MS;
/** A given certificate is somebody's job; this is how long before its end its log line says so. */
const WARN_BEFORE_MS = 14 * DAY_MS;
/** More certificates than that were given one after the other, and all of them warned about. */
const WARNED_LIMIT = 10_000;

interface Known {
  readonly pair: KeyPair;
  readonly untilMs: number;
}

export class Certificates {
  readonly #options: CertificatesOptions;
  readonly #known = new Map<string, Known>();
  /** Digest of a given certificate -> its end. */
  readonly #ends = new Map<string, number>();
  readonly #warned = new Set<string>();

  constructor(options: CertificatesOptions) {
    this.#options = options;
  }

  /** The service with a pair where it needs one. Throws what the file system says when it cannot be kept. */
  complete(virtual: VirtualService): VirtualService {
    const { tls, url } = virtual;
    if (tls === null) return virtual;
    if (tls.pair === null) return { ...virtual, tls: { ...tls, pair: this.#generated(url.host) } };
    this.#warnBeforeEnd(tls.pair.certificate, `https://${url.host ?? ''}`);
    return virtual;
  }

  #generated(host: string | null): KeyPair {
    const { now, log } = this.#options;
    const known = this.#known.get(host ?? '') ?? this.#read(host);
    if (known !== null && now() < known.untilMs - RENEW_BEFORE_MS) {
      this.#known.set(host ?? '', known);
      return known.pair;
    }
    const untilMs = now() + VALID_MS;
    const pair = selfSigned({ names: namesOf(host), fromMs: now() - BACKDATED_MS, untilMs });
    this.#write(host, pair);
    this.#known.set(host ?? '', { pair, untilMs });
    log('info', `made a self-signed certificate for https://${host ?? ''}, valid until ${dateText(untilMs)}`);
    return pair;
  }

  #path(host: string | null): string {
    return `${this.#options.directory}/${shortHash(`certificate ${host ?? ''}`)}.pem`;
  }

  /** Null when there is none that can be believed. */
  #read(host: string | null): Known | null {
    try {
      const text = readPrivately(this.#path(host));
      const blocks = text.match(/-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----\n/g) ?? [];
      const [certificate, key] = blocks;
      if (certificate === undefined || key === undefined || blocks.length !== 2)
        throw new Error('it is not one certificate and one key');
      const leaf = new X509Certificate(certificate);
      if (!leaf.checkPrivateKey(createPrivateKey(key))) throw new Error('the key is not that of the certificate');
      if (!namesOf(host).every((name) => (isIP(name) === 0 ? leaf.checkHost(name) : leaf.checkIP(name))))
        throw new Error('it names other hosts');
      return { pair: { certificate, key }, untilMs: Date.parse(leaf.validTo) };
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return null;
      this.#options.log('warning', `the certificate kept for https://${host ?? ''} is replaced: ${describeError(error)}`);
      return null;
    }
  }

  /** Both in one file, so that they change together. */
  #write(host: string | null, { certificate, key }: KeyPair): void {
    mkdirSync(this.#options.directory, { recursive: true, mode: 0o700 });
    const path = this.#path(host);
    rmSync(`${path}.new`, { force: true });
    writeFileSync(`${path}.new`, certificate + key, { mode: 0o600, flag: 'wx' });
    renameSync(`${path}.new`, path);
  }

  #warnBeforeEnd(certificate: string, place: string): void {
    const { now, log } = this.#options;
    const digest = shortHash(certificate);
    const endMs = this.#ends.get(digest) ?? endOf(certificate);
    if (this.#ends.size >= WARNED_LIMIT) this.#ends.clear();
    this.#ends.set(digest, endMs);
    if (this.#warned.has(digest) || now() < endMs - WARN_BEFORE_MS) return;
    if (this.#warned.size >= WARNED_LIMIT) this.#warned.clear();
    this.#warned.add(digest);
    log('warning', `the certificate of ${place} ${now() < endMs ? 'runs out' : 'has run out'} on ${dateText(endMs)}`);
  }
}

function namesOf(host: string | null): readonly string[] {
  if (host !== null) return [host.replace(/^\[(.*)\]$/, '$1')];
  // For every name, of which no certificate can tell; at least for whoever asks on this machine.
  return [...new Set([hostname().toLowerCase(), 'localhost'])].filter((name) => /^[a-z0-9._-]{1,253}$/.test(name));
}

/** A link would have us believe another file, and one that others may read is no secret. */
function readPrivately(path: string): string {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { mode, uid } = fstatSync(file);
    if ((mode & 0o077) !== 0 || uid !== process.getuid?.()) throw new Error('others than its owner had access to it');
    return readFileSync(file, 'utf8');
  } finally {
    closeSync(file);
  }
}

/** Never, when it cannot be read: nginx will say what is wrong with it. */
function endOf(certificate: string): number {
  try {
    return Date.parse(new X509Certificate(certificate).validTo);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

const dateText = (ms: number): string => new Date(ms).toISOString().slice(0, 10);
