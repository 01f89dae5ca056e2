import { isSilent, publishedTraffic, type StateStore, type TrafficReport } from '@reactor/core';

/** Nothing new to say is said once a round of the controller; the first request ends the pause at once. */
const SILENCE_EVERY_MS = 1_000;
/** Published traffic outlives a restart of the daemon; how old it may be is judged by its time stamp. */
const TRAFFIC_TTL_MS = 30_000;

/** Tells the cluster what this host's load balancers saw, each time it is called with something to say. */
export function createTrafficPublication(store: StateStore, host: string): (report: TrafficReport) => Promise<void> {
  /** Of the last publication. */
  let silence = { said: false, atMs: 0 };
  return async (report) => {
    const silent = isSilent(report);
    if (silent && silence.said && Math.abs(report.atMs - silence.atMs) < SILENCE_EVERY_MS) return;
    await store.publish(publishedTraffic(host, report), TRAFFIC_TTL_MS);
    silence = { said: silent, atMs: report.atMs };
  };
}
