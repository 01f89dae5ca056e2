import { createServer } from 'node:net';
import { hasCode } from '@reactor/core';

/**
 * Why a load balancer could not listen on a port, found by listening there for a moment; null when it is free. Load balancers
 * themselves only say so in a log, and nginx after it has kept its old configuration.
 */
export async function whyUnavailable(port: number, ipv6: boolean): Promise<string | null> {
  const reason = await tryListen(port, '0.0.0.0');
  return reason ?? (ipv6 ? await tryListen(port, '::') : null);
}

function tryListen(port: number, host: string): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error) => {
      if (hasCode(error, 'EADDRINUSE')) resolve(`port ${port} is taken by another program`);
      else if (hasCode(error, 'EACCES')) resolve(`port ${port} needs more rights than load balancers are started with`);
      // Anything else (no such address family) is for the load balancer to judge.
      else resolve(null);
    });
    server.listen({ port, host, ipv6Only: true, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
