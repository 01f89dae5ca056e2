import type { SketchBins } from './traffic.js';

/**
 * Mergeable counts of times in logarithmic bins (as DDSketch): every quantile is within 1 % of a time that was seen, however
 * many hosts are merged, and a window is never more than MAX_BIN + 1 numbers.
 */

/** A little under the promised 1 %, so that rounding at a bin's edge stays within it. */
const ACCURACY = 0.0099;
const GAMMA = (1 + ACCURACY) / (1 - ACCURACY);
const BINS_PER_E = 1 / Math.log(GAMMA);
/** Times at or below 1 microsecond share bin 1: logs have milliseconds. Zero has bin 0. */
const MIN_SECONDS = 1e-6;
/** Times above share the last bin: no load balancer waits three hours. */
const MAX_SECONDS = 10_000;
export const MAX_BIN = Math.ceil(Math.log(MAX_SECONDS / MIN_SECONDS) * BINS_PER_E) + 1;

/**
 * Logs have whole milliseconds and most answers take less than this many of them: their bins are looked up, which is several
 * times as fast as a logarithm per line.
 */
const TABLE_MS = 2_048;
const MILLISECOND_BINS = Int16Array.from({ length: TABLE_MS }, (_, ms) => computeBin(ms / 1000));

/** Bin of a time in seconds; called once per log line. */
export function binOf(seconds: number): number {
  const ms = Math.round(seconds * 1000);
  if (ms >= 0 && ms < TABLE_MS && ms / 1000 === seconds) return MILLISECOND_BINS[ms]!;
  return computeBin(seconds);
}

function computeBin(seconds: number): number {
  if (!(seconds > 0)) return 0;
  if (seconds <= MIN_SECONDS) return 1;
  if (seconds >= MAX_SECONDS) return MAX_BIN;
  return Math.ceil(Math.log(seconds / MIN_SECONDS) * BINS_PER_E) + 1;
}

/** The time in seconds that stands for a bin: at most the accuracy away from both its edges. */
export function binValue(index: number): number {
  if (index <= 0) return 0;
  if (index === 1) return MIN_SECONDS;
  return (MIN_SECONDS * GAMMA ** (Math.min(index, MAX_BIN) - 1) * 2) / (GAMMA + 1);
}

/** The counts of all, as if one sketch had seen everything. Pairs that are no bin are left out. */
export function mergeBins(list: readonly SketchBins[]): SketchBins {
  const counts = new Float64Array(MAX_BIN + 1);
  for (const bins of list) {
    for (let i = 0; i + 1 < bins.length; i += 2) {
      const index = bins[i]!;
      const count = bins[i + 1]!;
      // An index that is no bin finds nothing to add to.
      if (count > 0 && Number.isSafeInteger(count) && counts[index] !== undefined) counts[index] += count;
    }
  }
  const merged: number[] = [];
  for (let index = 0; index <= MAX_BIN; index++) if (counts[index]! > 0) merged.push(index, counts[index]!);
  return merged;
}

/** Time in seconds below which the fraction `q` of the times lies (nearest rank); null when there are none. */
export function quantile(bins: SketchBins, q: number): number | null {
  let total = 0;
  for (let i = 1; i < bins.length; i += 2) total += bins[i]!;
  if (total === 0) return null;
  const rank = Math.max(1, Math.ceil(q * total));
  let seen = 0;
  for (let i = 0; i + 1 < bins.length; i += 2) {
    seen += bins[i + 1]!;
    if (seen >= rank) return binValue(bins[i]!);
  }
  return binValue(bins.at(-2)!);
}
