import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { DnsmasqService } from '@reactor/core';

/** From services to dnsmasq's files. Pure. A name answers with the address of every backend, once each; ports mean nothing here. */

export interface Hosts {
  readonly text: string;
  /** A name that only a dnsmasq which has read this very text answers. */
  readonly mark: string;
}

/** Of the documentation's own network: nobody is there. */
const MARK_ADDRESS = '192.0.2.1';

export function renderHosts(services: readonly DnsmasqService[]): Hosts {
  const names = new Map<string, Set<string>>();
  for (const { url, backends } of services) {
    if (url.host === null) continue;
    const addresses = names.get(url.host) ?? new Set<string>();
    for (const { host } of backends) if (isIP(host) !== 0) addresses.add(host);
    names.set(url.host, addresses);
  }
  const lines = [...names]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, found]) => [...found].sort().map((address) => `${address} ${name}\n`));
  const body = lines.join('');
  const mark = `${createHash('sha256').update(body).digest('hex').slice(0, 16)}.reactor.internal`;
  return { text: `# Written by Reactor; replaced at every change.\n${body}${MARK_ADDRESS} ${mark}\n`, mark };
}

export interface OwnPlaces {
  readonly hosts: string;
  readonly pidFile: string;
  readonly port: number;
}

/** The whole configuration of a dnsmasq of our own: it knows the hosts file and nothing else, and asks nobody. */
export function renderOwn({ hosts, pidFile, port }: OwnPlaces): string {
  return [
    `port=${port}`,
    // Each address of this machine by itself, those to come included: another resolver may hold one of them.
    'bind-dynamic',
    'no-resolv',
    'no-hosts',
    'bogus-priv',
    `addn-hosts=${hosts}`,
    // A client asks again for every connection, so that nobody is sent to a backend that has gone.
    'local-ttl=0',
    `pid-file=${pidFile}`,
    '',
  ].join('\n');
}

/** What the system's dnsmasq is told beside its own configuration. */
export const renderSystem = (hosts: string): string => `# Written by Reactor.\naddn-hosts=${hosts}\n`;
