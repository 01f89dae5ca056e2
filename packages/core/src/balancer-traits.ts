import type { BalancerKind } from './balancer-config.js';

/** What the kinds of load balancers can tell. What one cannot tell is missing, which is not zero. */

/** Null is everything that nginx tells: also of endpoints that nothing serves, of which nothing is ever seen. */
const MEASURED: Readonly<Record<BalancerKind, readonly string[] | null>> = {
  nginx: null,
  haproxy: null,
  // Where an answer begins and ends is known to the endpoint alone.
  tcp: ['rate', 'bytes', 'active', 'pending', 'errors'],
  // It answers names; who then connects is never seen.
  dnsmasq: [],
};

/** Those of load balancers whose clients wait for a backend. */
const QUEUE_METRICS: readonly string[] = ['pending'];

/** Whether the load balancer of an endpoint tells a metric. */
export function measures(kind: BalancerKind | null, metric: string): boolean {
  const measured = kind === null ? null : MEASURED[kind];
  return measured === null ? !QUEUE_METRICS.includes(metric) : measured.includes(metric);
}

/** Those that know their clients one by one. */
export const SESSION_BALANCERS: readonly BalancerKind[] = ['tcp'];
