import type { TrafficReport } from '@reactor/core';

/**
 * Notices that load has just jumped, so that the decision need not wait for the next round. Only shortens the wait: what
 * is to be done is the round's to say, and one that was not noticed here is seen a second later.
 */
export interface SurgeDetector {
  /** Whether the load of this report is well above that of the last one that was remarkable. */
  jumped(report: TrafficReport): boolean;
}

/** As the burst window of decisions. */
const RECENT_SECONDS = 2;
/** Fewer requests in two seconds are chance. */
const LEAST_REQUESTS = 10;
const GROWTH = 1.5;

export function createSurgeDetector(): SurgeDetector {
  const usual = new Map<string, number>();
  return {
    jumped(report) {
      const since = report.atMs / 1000 - RECENT_SECONDS;
      let any = false;
      for (const [endpoint, { buckets }] of Object.entries(report.endpoints)) {
        const recent = buckets.reduce((sum, bucket) => (bucket.second >= since ? sum + bucket.requests : sum), 0);
        const before = usual.get(endpoint) ?? 0;
        const jump = recent >= LEAST_REQUESTS && recent > before * GROWTH;
        if (jump || recent < before) usual.set(endpoint, recent);
        any ||= jump;
      }
      for (const endpoint of usual.keys()) if (!(endpoint in report.endpoints)) usual.delete(endpoint);
      return any;
    },
  };
}
