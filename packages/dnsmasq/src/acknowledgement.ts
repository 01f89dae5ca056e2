import { Resolver } from 'node:dns/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** Whether a dnsmasq on this machine answers a name: the one sign that it has read the file the name is in. */

const ASK_LIMIT_MS = 500;
const POLL_MS = 10;

export async function answers(name: string, port: number): Promise<boolean> {
  const resolver = new Resolver({ timeout: ASK_LIMIT_MS, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  try {
    return (await resolver.resolve4(name)).length > 0;
  } catch {
    return false;
  }
}

export async function untilAnswered(name: string, port: number, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (!(await answers(name, port))) {
    if (performance.now() >= deadline) return false;
    await delay(POLL_MS);
  }
  return true;
}
