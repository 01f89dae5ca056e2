import { TOPICS } from './keys.js';
import type { Json } from './model.js';
import { type Check, mapOf, number, oneOf, recordOf } from './record-check.js';
import type { BackendTraffic, EndpointTraffic, TrafficBucket, TrafficReport } from './traffic.js';

/**
 * A host's traffic report as it is published, and back. One value may hold a mebibyte and a thousand busy endpoints are
 * more, so a report goes out in parts: the first under the host's own topic, the others under numbers below it, all in one
 * publication. Endpoints and backends of which nothing was seen are left out; their absence means just that.
 *
 * Tables are flat lists, without the names of their columns: with those a value is three times as long, and the leader reads
 * what every host says of every endpoint, every round.
 */

/** Half of what the cluster state takes, because the sizes below are estimates. */
const PART_BYTES = 512 * 1024;
/** Names, braces and the widest numbers that occur. */
const ENDPOINT_BYTES = 128;
const BUCKET_BYTES = 72;
const BIN_BYTES = 8;
const BACKEND_BYTES = 40;

/** A report in another format, of a daemon of another version, is as good as none. */
const FORMAT = 2;

/** Far more than the largest host publishes. */
const PARTS_MAX = 10_000;

/** What stands under the host's own topic. */
interface FirstPart extends Omit<TrafficReport, 'endpoints'> {
  readonly format: typeof FORMAT;
  /** How many parts there are. */
  readonly parts: number;
  readonly endpoints: PartEndpoints;
}

/** What stands under its numbers, 1 and up. */
interface FurtherPart {
  /** That of the report it belongs to: a part of an older report is none of this one. */
  readonly atMs: number;
  readonly endpoints: PartEndpoints;
}

type PartEndpoints = Readonly<Record<string, PartEndpoint>>;

interface PartEndpoint extends Pick<EndpointTraffic, 'times' | 'active' | 'pending' | 'completeSinceMs'> {
  /** Per second: its age at the report's own second, requests, bytes, timed, seconds, errors. */
  readonly buckets: readonly number[];
  /** Per backend: its id, active, requests, errors, refused. */
  readonly backends: readonly (string | number)[];
  /** Those that are used up, by id; hardly ever any. */
  readonly spent?: readonly string[];
}

/** By topic, to be published together. */
export function publishedTraffic(host: string, report: TrafficReport): Readonly<Record<string, Json>> {
  const [first = {}, ...further] = parted(report.endpoints).map((part) => packedAll(part, secondOf(report)));
  const { atMs } = report;
  const head: FirstPart = { ...report, format: FORMAT, parts: further.length + 1, endpoints: first };
  const values: Record<string, Json> = { [TOPICS.trafficOf(host)]: head as unknown as Json };
  for (const [index, endpoints] of further.entries()) {
    const part: FurtherPart = { atMs, endpoints };
    values[TOPICS.trafficPartOf(host, index + 1)] = part as unknown as Json;
  }
  return values;
}

/** Of tables only that they are there: the leader reads a hundred thousand rows a round, and a wrong number is only a number. */
const isList: Check = (value) => (Array.isArray(value) ? null : 'expected a list');
const isEndpoints = mapOf(
  recordOf<PartEndpoint>(
    { buckets: isList, backends: isList, times: isList, active: number, pending: number, completeSinceMs: number, spent: isList },
    'pending',
    'completeSinceMs',
    'spent',
  ),
);
const isFirstPart = recordOf<FirstPart>({
  format: oneOf(FORMAT),
  parts: (value) => (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= PARTS_MAX ? null : 'expected how many'),
  atMs: number,
  completeSinceMs: number,
  badLines: number,
  lagBytes: number,
  endpoints: isEndpoints,
});

/** The newest report of every host, from all values below `TOPICS.traffic`. One that misses a part, or is none of ours, is as good as none. */
export function trafficOfHosts(published: ReadonlyMap<string, Json>): ReadonlyMap<string, TrafficReport> {
  const reports = new Map<string, TrafficReport>();
  for (const [topic, value] of published) {
    const host = topic.slice(TOPICS.traffic.length);
    if (host.includes('/')) continue;
    if (isFirstPart(value) !== null) continue;
    const { format: _format, parts, ...report } = value as unknown as FirstPart;
    const further = Array.from({ length: parts - 1 }, (_, index) => {
      const part = published.get(TOPICS.trafficPartOf(host, index + 1)) as unknown as FurtherPart | undefined;
      return part?.atMs === report.atMs && isEndpoints(part.endpoints) === null ? part.endpoints : null;
    });
    if (further.includes(null)) continue;
    const endpoints: Record<string, EndpointTraffic> = {};
    for (const part of [report.endpoints, ...further]) unpackInto(endpoints, part as PartEndpoints, secondOf(report));
    reports.set(host, { ...report, endpoints });
  }
  return reports;
}

const secondOf = ({ atMs }: { readonly atMs: number }): number => Math.floor(atMs / 1000);

function packedAll(endpoints: TrafficReport['endpoints'], second: number): PartEndpoints {
  return Object.fromEntries(Object.entries(endpoints).map(([name, traffic]) => [name, packed(traffic, second)]));
}

function packed({ buckets, backends, ...rest }: EndpointTraffic, second: number): PartEndpoint {
  const spent = Object.keys(backends).filter((id) => backends[id]!.spent);
  return {
    ...rest,
    ...(spent.length === 0 ? {} : { spent }),
    buckets: buckets.flatMap((b) => [second - b.second, b.requests, b.bytes, b.timed, b.seconds, b.errors]),
    backends: Object.entries(backends).flatMap(([id, b]) => [id, b.active, b.requests, b.errors, b.refused]),
  };
}

/** Plain loops: the leader does it for a hundred thousand rows a round. */
function unpackInto(endpoints: Record<string, EndpointTraffic>, part: PartEndpoints, second: number): void {
  for (const name in part) {
    const { buckets: seconds, backends: rows, spent, times, active, pending, completeSinceMs } = part[name]!;
    const buckets: TrafficBucket[] = [];
    for (let at = 0; at < seconds.length; at += 6) {
      buckets.push({
        second: second - seconds[at]!,
        requests: seconds[at + 1]!,
        bytes: seconds[at + 2]!,
        timed: seconds[at + 3]!,
        seconds: seconds[at + 4]!,
        errors: seconds[at + 5]!,
      });
    }
    const backends: Record<string, BackendTraffic> = {};
    for (let at = 0; at < rows.length; at += 5) {
      const [active, requests, errors, refused] = [rows[at + 1], rows[at + 2], rows[at + 3], rows[at + 4]] as number[];
      backends[rows[at] as string] = { active: active!, requests: requests!, errors: errors!, refused: refused! };
    }
    for (const id of spent ?? []) backends[id] = { ...backends[id]!, spent: true };
    endpoints[name] =
      completeSinceMs === undefined && pending === undefined
        ? { buckets, times, active, backends }
        : {
            ...{ buckets, times, active, backends },
            ...(pending === undefined ? {} : { pending }),
            ...(completeSinceMs === undefined ? {} : { completeSinceMs }),
          };
  }
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

const isSeen = ({ active, requests, errors, refused, spent }: BackendTraffic): boolean =>
  active > 0 || requests > 0 || errors > 0 || refused > 0 || spent === true;

const isQuiet = ({ buckets, times, active, pending = 0, backends, completeSinceMs }: EndpointTraffic): boolean =>
  completeSinceMs === undefined &&
  pending === 0 &&
  buckets.length === 0 &&
  times.length === 0 &&
  active === 0 &&
  Object.keys(backends).length === 0;

function sizeOf(name: string, { buckets, times, backends }: EndpointTraffic): number {
  const ids = Object.keys(backends).reduce((bytes, id) => bytes + id.length + BACKEND_BYTES, 0);
  return ENDPOINT_BYTES + name.length + buckets.length * BUCKET_BYTES + times.length * BIN_BYTES + ids;
}
