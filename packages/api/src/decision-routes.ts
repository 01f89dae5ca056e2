import {
  type DecisionReport,
  explainDecision,
  type Json,
  type KeptDecision,
  LOGS,
  ReactorError,
  TOPICS,
  unpackDecision,
} from '@reactor/core';
import type { ApiContext } from './context.js';
import { explainedDecision, newestDecision } from './endpoint-views.js';
import { orNull } from './json-schema.js';
import { liveEndpoint } from './names.js';
import { readNumber } from './request-form.js';
import { json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/** Why an endpoint has as many instances as it has, now and at every moment that is kept. */
export const DECISION_ROUTES: readonly Route[] = [
  route('GET', '/endpoints/:endpoint/decision', showDecision, {
    summary: 'Why it has so many instances',
    gives: orNull(shape('Decision')),
  }),
  route('GET', '/endpoints/:endpoint/decisions', listDecisions, {
    summary: 'Its decisions that changed something, newest first',
    gives: shape('Decisions'),
    query: ['since', 'until', 'limit'],
  }),
  route('GET', '/endpoints/:endpoint/explain', showExplanation, {
    summary: 'The decision in force, now or at a moment, taken apart',
    gives: orNull(shape('Explained')),
    query: ['at'],
  }),
];

/** The log is one for the cluster; it is read in ever longer pieces until there is enough of the endpoint. */
const PIECES = [100, 1_000, 10_000];
const DEFAULT_LIMIT = 100;
const LIMIT_MAX = 1_000;
/** The year 5138. */
const LATEST_MS = 99_999_999_999_000;

async function showDecision(request: RouteRequest, context: ApiContext): Promise<Reply> {
  return json(await lastDecision(request, context));
}

/** The newest one, as it was published; null before the first. */
async function lastDecision(request: RouteRequest, context: ApiContext): Promise<Json> {
  const { name, cluster } = await liveEndpoint(request, context);
  const topic = TOPICS.decision(name);
  const decision = newestDecision(cluster, name, await context.store.latest(topic), topic);
  return explainedDecision(cluster, name, decision);
}

/** The last decision, or the one in force at a moment, taken apart; null before the first. */
async function showExplanation(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const atMs = readNumber(request.query, 'at', { limit: LATEST_MS, fraction: false });
  const report = atMs === null ? await lastDecision(request, context) : await decisionAt(request, context, atMs);
  if (!isReport(report)) return json(report);
  return json({ ...report, explanation: explainDecision(report.record) });
}

/** Another version may have decided, whose records are shown as they are. */
function isReport(decision: unknown): decision is DecisionReport {
  const { record } = (decision ?? {}) as Partial<DecisionReport>;
  return record?.inputs?.stable?.metrics !== undefined && Array.isArray(record.scaling?.rules);
}

async function decisionAt(request: RouteRequest, context: ApiContext, atMs: number): Promise<object> {
  const { name } = await liveEndpoint(request, context);
  const [kept] = await keptDecisions(context, { name, since: 0, until: atMs, limit: 1 });
  if (kept === undefined) {
    const when = new Date(atMs).toISOString();
    throw new ReactorError(
      'not_found',
      `no decision about '${name}' is kept of ${when} or before; the last 10,000 of the cluster are`,
    );
  }
  if (kept.report === null) return kept;
  const { report, seq, moreSteps, reproduced } = kept;
  return { ...report, seq, moreSteps, reproduced };
}

async function listDecisions(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const { name } = await liveEndpoint(request, context);
  const number = (key: string, limit: number): number | null => readNumber(request.query, key, { limit, fraction: false });
  const range = {
    name,
    since: number('since', LATEST_MS) ?? 0,
    until: number('until', LATEST_MS) ?? LATEST_MS,
    limit: number('limit', LIMIT_MAX) ?? DEFAULT_LIMIT,
  };
  return json({ decisions: await keptDecisions(context, range) });
}

interface Range {
  readonly name: string;
  /** Times are included. */
  readonly since: number;
  readonly until: number;
  readonly limit: number;
}

/** Newest first. */
async function keptDecisions(context: ApiContext, { name, since, until, limit }: Range): Promise<readonly KeptDecision[]> {
  for (const piece of PIECES) {
    const entries = await context.store.tail(LOGS.decisions, 0, piece);
    const own = entries.filter(({ event, atMs }) => event === name && atMs >= since && atMs <= until);
    const complete = entries.length < piece || own.length >= limit || (entries[0]?.atMs ?? 0) < since || piece === PIECES.at(-1);
    if (complete) return (limit === 0 ? [] : own.slice(-limit)).toReversed().map(unpackDecision);
  }
  return [];
}
