import { METRIC_KINDS } from './rule.js';

/** Longest name worth comparing; no built-in metric is near it, and it bounds the comparison. */
const MAX_NEAR_LENGTH = 16;

/** The built-in metric that an unknown name is one slip away from, or null: it may well be a custom metric. */
export function nearMetric(name: string): string | null {
  if (Object.hasOwn(METRIC_KINDS, name) || name.length > MAX_NEAR_LENGTH) return null;
  const lower = name.toLowerCase();
  return Object.keys(METRIC_KINDS).find((known) => known === lower || oneSlip(lower, known)) ?? null;
}

/** One character added, left out, replaced, or swapped with its neighbour. */
function oneSlip(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 1) return false;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  const rest = (text: string, from: number): string => text.slice(from);
  return (
    rest(a, i + 1) === rest(b, i + 1) ||
    rest(a, i + 1) === rest(b, i) ||
    rest(a, i) === rest(b, i + 1) ||
    (a[i] === b[i + 1] && a[i + 1] === b[i] && rest(a, i + 2) === rest(b, i + 2))
  );
}
