import { X509Certificate } from 'node:crypto';
import type { NginxConfig } from './balancer-config.js';
import { serverKey } from './endpoint-url.js';
import type { EndpointUrl } from './model.js';
import { compareText } from './plain-text.js';

/**
 * The certificate of each host and port, of which there is one, whatever its endpoints give. Where they differ the one that
 * is valid longest holds for all: so a renewed one is taken up with the first endpoint that has it, and none is left out
 * until the others follow.
 */
export interface HostCertificates {
  /** By server key; absent where nobody gives one. */
  readonly pairs: ReadonlyMap<string, KeyPair>;
  readonly remarks: readonly string[];
}

export interface KeyPair {
  /** The chain, PEM. */
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateGiver {
  readonly endpoint: string;
  readonly url: EndpointUrl;
  readonly settings: Pick<NginxConfig, 'sslCertificate' | 'sslKey'>;
}

interface Given {
  readonly endpoint: string;
  readonly pair: KeyPair;
}

export function hostCertificates(givers: readonly CertificateGiver[]): HostCertificates {
  const given = new Map<string, Given[]>();
  for (const { endpoint, url, settings } of givers) {
    const { sslCertificate: certificate, sslKey: key } = settings;
    if (url.scheme !== 'https' || certificate === null || key === null) continue;
    given.set(serverKey(url), [...(given.get(serverKey(url)) ?? []), { endpoint, pair: { certificate, key } }]);
  }
  const pairs = new Map<string, KeyPair>();
  const remarks: string[] = [];
  for (const [server, all] of given) {
    const chosen = longestValid(all);
    pairs.set(server, chosen.pair);
    const others = all.filter(({ pair }) => !isSame(pair, chosen.pair)).map(({ endpoint }) => `'${endpoint}'`);
    if (others.length === 0) continue;
    remarks.push(`${others.join(', ')}: the certificate of '${chosen.endpoint}' for the same host is valid longer, and is used`);
  }
  return { pairs, remarks };
}

/** Of equals the first endpoint's. Reading a certificate takes a while, so none is read where there is nothing to choose. */
function longestValid(all: readonly Given[]): Given {
  const first = all[0]!;
  if (all.every(({ pair }) => isSame(pair, first.pair))) return first;
  return all
    .map((each) => ({ each, endMs: endMs(each.pair.certificate) }))
    .sort((a, b) => b.endMs - a.endMs || compareText(a.each.endpoint, b.each.endpoint))[0]!.each;
}

const isSame = (a: KeyPair, b: KeyPair): boolean => a.certificate === b.certificate && a.key === b.key;

/** What cannot be read is chosen last. */
function endMs(certificate: string): number {
  try {
    return Date.parse(new X509Certificate(certificate).validTo);
  } catch {
    return 0;
  }
}
