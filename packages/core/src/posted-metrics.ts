import { ReactorError } from './errors.js';
import { TOPICS } from './keys.js';
import type { Json } from './model.js';
import { mapOf, number, recordOf, text, tupleOf } from './record-check.js';
import { metricKind } from './rule.js';

/**
 * Numbers that programs post about an endpoint or about one of its backends: their form, and how they travel. They are
 * published like traffic, lossy and expiring. A report replaces the one before it from the same source, so two in one round
 * count once; what is not repeated is missing after a while, and never zero.
 */

/** As published. */
export interface PostedMetrics {
  /** When it came, by the clock of the daemon that took it. */
  readonly atMs: number;
  /** The host of that daemon. */
  readonly by: string;
  readonly values: Readonly<Record<string, WeighedValue>>;
}

export type WeighedValue = readonly [weight: number, value: number];

export interface PostedReport extends PostedMetrics {
  /** Id of the backend it is about, as in `Backend`; null is the endpoint as a whole. */
  readonly backend: string | null;
}

/** Each may be in a rule; more than that nobody reads, and every round reads all of them. */
export const POSTED_NAMES_MAX = 64;
export const POSTED_NAME_LENGTH_MAX = 64;
/** As a rule spells a metric. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * The values of a report: `{name: value}` or `{name: [weight, value]}`; a bare number weighs 1. Throws `request_invalid`
 * with the first mistake.
 */
export function readPostedValues(given: unknown): PostedMetrics['values'] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw refusal('expected a JSON object of metric names, each with a number or [weight, value]');
  }
  const entries = Object.entries(given);
  if (entries.length > POSTED_NAMES_MAX) throw refusal(`${entries.length} metrics, more than ${POSTED_NAMES_MAX}`);
  return Object.fromEntries(entries.map(([name, value]) => [checkedName(name), weighed(name, value)]));
}

function checkedName(name: string): string {
  if (name.length > POSTED_NAME_LENGTH_MAX) {
    throw refusal(`metric name of ${name.length} characters, longer than ${POSTED_NAME_LENGTH_MAX}`);
  }
  // The one name of that form that no object can hold like any other.
  if (!NAME.test(name) || name === '__proto__') {
    throw refusal(`${JSON.stringify(name)} is not a metric name: expected letters, digits and _, not a digit first`);
  }
  if (metricKind(name) === 'direct') throw refusal(`${name}: Reactor counts these itself; choose another name`);
  return name;
}

function weighed(name: string, given: unknown): WeighedValue {
  const [weight, value] = Array.isArray(given) && given.length === 2 ? given : [1, given];
  if (typeof weight !== 'number' || typeof value !== 'number') throw refusal(`${name}: expected number or [weight, value]`);
  // JSON has no infinity, but 1e999 is one.
  if (!Number.isFinite(weight) || !Number.isFinite(value)) throw refusal(`${name}: not finite`);
  if (value < 0) throw refusal(`${name}: negative`);
  if (weight <= 0) throw refusal(`${name}: weight must be > 0`);
  return [weight, value];
}

const refusal = (message: string): ReactorError => new ReactorError('request_invalid', message);

// ------------------------------------------------------------------------------------------------------- as it travels

export function publishedMetrics(
  endpoint: string,
  backend: string | null,
  report: PostedMetrics,
): Readonly<Record<string, Json>> {
  return { [TOPICS.posted(endpoint, backend)]: report as unknown as Json };
}

const isPosted = recordOf<PostedMetrics>({ atMs: number, by: text, values: mapOf(tupleOf(number, number)) });

/** By endpoint, in the order of their topics, from all values below `TOPICS.traffic` or any of `TOPICS.postedOf`. */
export function postedReports(published: ReadonlyMap<string, Json>): ReadonlyMap<string, readonly PostedReport[]> {
  const reports = new Map<string, PostedReport[]>();
  const topics = [...published.keys()].filter((topic) => topic.startsWith(TOPICS.allPosted)).sort();
  for (const topic of topics) {
    const place = topic.slice(TOPICS.allPosted.length);
    const slash = place.indexOf('/');
    const [endpoint, backend] = [place.slice(0, slash), place.slice(slash + 1)];
    const posted = published.get(topic);
    if (isPosted(posted) !== null) continue;
    const report = { ...(posted as unknown as PostedMetrics), backend: backend === '' ? null : backend };
    const known = reports.get(endpoint);
    if (known === undefined) reports.set(endpoint, [report]);
    else known.push(report);
  }
  return reports;
}
