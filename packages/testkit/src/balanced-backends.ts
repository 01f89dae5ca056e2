import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Addresses of the machines that the nginx of the daemon with this data directory sends requests to, as its files say; sorted. */
export function balancedMachines(data: string): readonly string[] {
  const sites = join(data, 'nginx/current/sites');
  const texts = readdirSync(sites).map((file) => readFileSync(join(sites, file), 'utf8'));
  const found = texts.flatMap((text) => [...text.matchAll(/^\s*server (\S+):\d+ .*$/gm)].map(([, address]) => address ?? ''));
  return [...new Set(found)].sort();
}
