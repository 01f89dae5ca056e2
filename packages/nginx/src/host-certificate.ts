import { X509Certificate } from 'node:crypto';
import type { NginxService as Service } from '@reactor/core';
import { compare, type KeyPair, serverKey } from './virtual-service.js';

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

interface Given {
  readonly endpoint: string;
  readonly pair: KeyPair;
}

export function hostCertificates(services: readonly Service[]): HostCertificates {
  const given = new Map<string, Given[]>();
  for (const { endpoint, url, nginx } of services) {
    if (nginx.sslCertificate === null || nginx.sslKey === null) continue;
    const pair = { certificate: nginx.sslCertificate, key: nginx.sslKey };
    given.set(serverKey(url), [...(given.get(serverKey(url)) ?? []), { endpoint, pair }]);
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
    .sort((a, b) => b.endMs - a.endMs || compare(a.each.endpoint, b.each.endpoint))[0]!.each;
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
