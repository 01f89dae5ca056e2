import type { Demand, HostCandidate } from './placement.js';

/** Room on a host: slots, processors and memory, what is asked of each and what is left. */

/** Docker counts processors in billionths; whole numbers make `0.1 + 0.2` fit into `0.3`. */
const NANO = 1e9;

interface Dimension {
  readonly unit: string;
  readonly asked: (demand: Demand) => number;
  readonly used: (host: HostCandidate) => number;
  readonly total: (host: HostCandidate) => number;
  readonly show: (amount: number) => string;
}

/** What is asked for of one dimension, more than 0. */
export interface Need {
  readonly of: Dimension;
  readonly asked: number;
}

const nano = (cpus: number): number => Math.round(cpus * NANO);

/** All in whole numbers. `overcommit` stretches processors and memory, never slots. */
const DIMENSIONS: readonly Dimension[] = [
  {
    unit: 'slots',
    asked: ({ slots }) => slots,
    used: ({ used }) => used.slots,
    total: ({ record }) => record.slots,
    show: (amount) => String(Math.max(0, amount)),
  },
  {
    unit: 'cpus',
    asked: ({ cpus }) => nano(cpus),
    used: ({ used }) => nano(used.cpus),
    total: ({ record }) => nano(record.cpus * (1 + record.overcommit)),
    show: (amount) => String(Math.max(0, amount) / NANO),
  },
  {
    unit: 'MiB of memory',
    asked: ({ memoryBytes }) => memoryBytes,
    used: ({ used }) => used.memoryBytes,
    total: ({ record }) => Math.round(record.memoryBytes * (1 + record.overcommit)),
    show: (amount) => String(Math.max(0, Math.floor(amount / 2 ** 20))),
  },
];

export const needsOf = (demand: Demand): readonly Need[] =>
  DIMENSIONS.map((of) => ({ of, asked: of.asked(demand) })).filter(({ asked }) => asked > 0);

/** Why the host has no room; null when it has. */
export function checkCapacity(needs: readonly Need[], host: HostCandidate): string | null {
  if (host.record.slots === 0) return 'takes nothing (0 slots)';
  const full = needs.find(({ of, asked }) => of.used(host) + asked > of.total(host));
  if (full === undefined) return null;
  const { of, asked } = full;
  return `needs ${of.show(asked)} ${of.unit}, ${of.show(of.total(host) - of.used(host))} free`;
}

/** The fullest asked dimension after placement, 0 to 1. Equal fractions are equal doubles, so ties are exact. */
export const share = (needs: readonly Need[], host: HostCandidate): number =>
  needs.reduce((fullest, { of, asked }) => Math.max(fullest, (of.used(host) + asked) / of.total(host)), 0);
