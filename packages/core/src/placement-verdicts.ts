import { needsOf, share } from './capacity.js';
import type { HostCandidate, PlacementRequest, PlacementResult } from './placement.js';
import { demandOf, type Filter, softMet } from './placement.js';

/** What every host answered when an instance was to be placed, in a form that is short enough to be kept and sent. */

export interface Verdict {
  /** Host id. */
  readonly host: string;
  readonly verdict: 'chosen' | 'fits' | 'refused';
  /** The filter that refuses it. */
  readonly filter: Filter | null;
  /** Why it was chosen or refused; of one that fits, the numbers it was ranked by. */
  readonly reason: string;
}

export interface Verdicts {
  /** Null when every host refuses. */
  readonly host: string | null;
  readonly reason: string;
  /** Ascending by host id; the chosen one is always among them. */
  readonly hosts: readonly Verdict[];
  /** How many further hosts there are, by the filter that refuses them or `fits`. */
  readonly more: Readonly<Record<string, number>>;
}

/** The verdicts of one start, or of one that no host took. */
export interface PlacementReport extends Verdicts {
  readonly atMs: number;
}

/**
 * Reports are published for every endpoint that starts something: a thousand of them with twenty hosts are some two
 * megabytes, with a hundred hosts they would be ten.
 */
export const REPORTED_HOSTS_MAX = 20;

/** `lost` are hosts that were no candidates because they are away; at most `limit` hosts are told one by one. */
export function verdictsOf(
  request: PlacementRequest,
  candidates: readonly HostCandidate[],
  result: PlacementResult,
  { lost = [], limit }: { readonly lost?: readonly string[]; readonly limit: number },
): Verdicts {
  const refused = new Map(result.refusals.map((refusal) => [refusal.host, refusal]));
  const chosen = result.kind === 'placed' ? result.host : null;
  const away = lost.map((host) => ({ host, filter: 'health' as const, tell: () => 'lost' }));
  const asked = candidates.map((candidate) => {
    const { id: host } = candidate.record;
    const refusal = refused.get(host);
    return refusal === undefined
      ? {
          host,
          filter: null,
          tell: () => (host === chosen && result.kind === 'placed' ? result.reason : rank(request, candidate)),
        }
      : { host, filter: refusal.filter, tell: () => refusal.reason };
  });
  const first = (host: string): number => (host === chosen ? 0 : 1);
  const all = [...asked, ...away].sort((a, b) => first(a.host) - first(b.host) || compareText(a.host, b.host));
  const more: Record<string, number> = {};
  for (const { filter } of all.slice(limit)) more[filter ?? 'fits'] = (more[filter ?? 'fits'] ?? 0) + 1;
  const hosts = all
    .slice(0, limit)
    .map(({ host, filter, tell }) => ({ host, verdict: verdictOf(host === chosen, filter), filter, reason: tell() }))
    .sort((a, b) => compareText(a.host, b.host));
  return { host: chosen, reason: result.kind === 'placed' ? result.reason : result.summary, hosts, more };
}

const verdictOf = (chosen: boolean, filter: Filter | null): Verdict['verdict'] =>
  chosen ? 'chosen' : filter === null ? 'fits' : 'refused';

/** The numbers a host is ranked by, in the order in which they count. */
function rank(request: PlacementRequest, host: HostCandidate): string {
  const { placement } = request;
  const soft = [...placement.constraints, ...placement.affinity].filter((each) => each.soft).length;
  const own = host.placed.filter(({ endpoint }) => endpoint === request.endpoint).length;
  const used = share(needsOf(demandOf(placement, request.container)), host) * 100;
  return [
    ...(soft > 0 ? [`${softMet(placement, host)} of ${soft} soft rules met`] : []),
    `${used.toFixed(1)} % used after placement`,
    `${own} of this endpoint there`,
    `${host.placed.length} in all`,
  ].join(', ');
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
