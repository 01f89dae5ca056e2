import { SECOND } from './fault.js';
import type { Weather } from './world.js';

/**
 * Worlds in which one kind of trouble is frequent. Some mistakes need a meeting of events that comes up in one of a thousand
 * ordinary seeds; here it comes up in every few. Every fourth seed is of some profile, so production code meets them all.
 */
export interface Profile {
  readonly name: string;
  /** How far apart on average these kinds of faults are, always turned on; others are as likely as `others` says. */
  readonly everyMs: Readonly<Record<string, number>>;
  readonly others: number;
  readonly weather: Partial<Weather>;
  /** Instances that a host has room for. */
  readonly roomFor?: number;
  readonly portsEach?: number;
  /** Faults strike at least so long. */
  readonly leastMs?: number;
}

export const PROFILES: readonly Profile[] = [
  {
    name: 'full hosts',
    everyMs: { 'operator edits a configuration': 4 * SECOND, 'load changes': 4 * SECOND, 'container exits': 12 * SECOND },
    others: 0.05,
    weather: {},
    roomFor: 2,
  },
  {
    name: 'removed endpoints',
    everyMs: { 'operator removes an endpoint': 6 * SECOND, 'load changes': 5 * SECOND },
    others: 0.1,
    weather: {},
  },
  {
    name: 'late requests',
    everyMs: { 'leader crash': 15 * SECOND, 'load changes': 2 * SECOND, 'operator edits a configuration': 4 * SECOND },
    others: 0.05,
    weather: { straggleRate: 0.2 },
  },
  {
    name: 'takeovers',
    everyMs: { 'leader crash': 18 * SECOND, 'operator edits a configuration': 3 * SECOND, 'load changes': 3 * SECOND },
    others: 0.05,
    weather: {},
    leastMs: 60 * SECOND,
  },
  {
    name: 'failovers',
    everyMs: {
      'store fails over': 8 * SECOND,
      'leader crash': 15 * SECOND,
      'daemon restart': 8 * SECOND,
      'container exits': 3 * SECOND,
      'operator edits a configuration': 4 * SECOND,
    },
    others: 0.03,
    weather: {},
    leastMs: 75 * SECOND,
  },
  {
    name: 'unsteady clocks',
    everyMs: { 'daemon hiccup': 5 * SECOND, 'clock step': 15 * SECOND, 'load changes': 2 * SECOND },
    others: 0.05,
    weather: { stallRate: 0.0005 },
  },
  {
    name: 'drifting clocks',
    everyMs: { 'clock drifts': 5 * SECOND, 'load changes': SECOND, 'operator edits a configuration': 3 * SECOND },
    others: 0,
    weather: {},
    leastMs: 60 * SECOND,
  },
  {
    name: 'lost hosts',
    everyMs: { 'cut from everything': 10 * SECOND, 'container exits': 30 * SECOND },
    others: 0,
    weather: {},
  },
  {
    name: 'most hosts lost',
    everyMs: { 'most hosts lost': 12 * SECOND, 'operator edits a configuration': 6 * SECOND },
    others: 0.05,
    weather: {},
    leastMs: 75 * SECOND,
  },
  {
    name: 'unheard traffic',
    everyMs: { 'traffic unheard': 10 * SECOND, 'load changes': 6 * SECOND },
    others: 0.05,
    weather: {},
    leastMs: 60 * SECOND,
  },
  {
    name: 'silent Docker',
    everyMs: { 'Docker hangs': 6 * SECOND, 'Docker restarts': 40 * SECOND },
    others: 0.1,
    weather: {},
  },
  {
    name: 'few ports',
    everyMs: { 'daemon crash': 3 * SECOND, 'container exits': 1.5 * SECOND, 'cut from the store': 10 * SECOND },
    others: 0.02,
    weather: {},
    portsEach: 60,
  },
];

export function profileNamed(name: string): Profile {
  const found = PROFILES.find((profile) => profile.name === name);
  if (found === undefined) throw new Error(`no profile '${name}'; there is ${PROFILES.map((each) => each.name).join(', ')}`);
  return found;
}
