import { TOPICS } from './keys.js';
import type { Json } from './model.js';
import type { BackendTraffic, EndpointTraffic, TrafficReport } from './traffic.js';

/**
 * A host's traffic report as it is published, and back. One value may hold a mebibyte and a thousand busy endpoints are
 * more, so a report goes out in parts: the first under the host's own topic, the others under numbers below it, all in one
 * publication. Endpoints and backends of which nothing was seen are left out; their absence means just that.
 */

/** Half of what the cluster state takes, because the sizes below are estimates. */
const PART_BYTES = 512 * 1024;
/** Names, braces and the widest numbers that occur. */
const ENDPOINT_BYTES = 128;
const BUCKET_BYTES = 144;
const BIN_BYTES = 8;
const BACKEND_BYTES = 96;

/** What stands under the host's own topic. */
interface FirstPart extends TrafficReport {
  /** How many parts there are; absent is 1. */
  readonly parts?: number;
}

/** What stands under its numbers, 1 and up. */
interface FurtherPart {
  /** That of the report it belongs to: a part of an older report is none of this one. */
  readonly atMs: number;
  readonly endpoints: TrafficReport['endpoints'];
}

/** By topic, to be published together. */
export function publishedTraffic(host: string, report: TrafficReport): Readonly<Record<string, Json>> {
  const [first = {}, ...further] = parted(report.endpoints);
  const { atMs } = report;
  const head: FirstPart = { ...report, endpoints: first, parts: further.length + 1 };
  const values: Record<string, Json> = { [TOPICS.trafficOf(host)]: head as unknown as Json };
  for (const [index, endpoints] of further.entries()) {
    const part: FurtherPart = { atMs, endpoints };
    values[TOPICS.trafficPartOf(host, index + 1)] = part as unknown as Json;
  }
  return values;
}

/** The newest report of every host, from all values below `TOPICS.traffic`. One that misses a part is as good as none. */
export function trafficOfHosts(published: ReadonlyMap<string, Json>): ReadonlyMap<string, TrafficReport> {
  const reports = new Map<string, TrafficReport>();
  for (const [topic, value] of published) {
    const host = topic.slice(TOPICS.traffic.length);
    if (host.includes('/')) continue;
    const { parts = 1, ...report } = value as unknown as FirstPart;
    const further = Array.from({ length: parts - 1 }, (_, index) => {
      const part = published.get(TOPICS.trafficPartOf(host, index + 1)) as unknown as FurtherPart | undefined;
      return part?.atMs === report.atMs ? part.endpoints : null;
    });
    if (further.includes(null)) continue;
    reports.set(host, { ...report, endpoints: Object.assign({}, report.endpoints, ...further) });
  }
  return reports;
}

/** Whether nothing was seen at all: as it was a moment ago, so saying it again can wait. */
export const isSilent = (report: TrafficReport): boolean => parted(report.endpoints).length === 0;

function parted(endpoints: TrafficReport['endpoints']): readonly TrafficReport['endpoints'][] {
  const parts: Record<string, EndpointTraffic>[] = [];
  let left = 0;
  for (const [name, traffic] of Object.entries(endpoints)) {
    const backends = Object.fromEntries(Object.entries(traffic.backends).filter(([, backend]) => isSeen(backend)));
    const seen = { ...traffic, backends };
    if (isQuiet(seen)) continue;
    const bytes = sizeOf(name, seen);
    if (parts.length === 0 || bytes > left) {
      parts.push({});
      left = PART_BYTES;
    }
    parts.at(-1)![name] = seen;
    left -= bytes;
  }
  return parts;
}

const isSeen = ({ active, requests, errors, refused }: BackendTraffic): boolean =>
  active > 0 || requests > 0 || errors > 0 || refused > 0;

const isQuiet = ({ buckets, times, active, backends, completeSinceMs }: EndpointTraffic): boolean =>
  completeSinceMs === undefined &&
  buckets.length === 0 &&
  times.length === 0 &&
  active === 0 &&
  Object.keys(backends).length === 0;

function sizeOf(name: string, { buckets, times, backends }: EndpointTraffic): number {
  const ids = Object.keys(backends).reduce((bytes, id) => bytes + id.length + BACKEND_BYTES, 0);
  return ENDPOINT_BYTES + name.length + buckets.length * BUCKET_BYTES + times.length * BIN_BYTES + ids;
}
