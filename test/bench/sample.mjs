/** Taking samples: medians of runs that alternate, so that whatever else the machine does meets both sides alike. */

export function median(values) {
  return quantile(values, 0.5);
}

/** Nearest rank on the sorted values, the mean of the two in the middle for the median of an even number. */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  if (q === 0.5 && sorted.length % 2 === 0) return (sorted[sorted.length / 2 - 1] + sorted[sorted.length / 2]) / 2;
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)];
}

/** Runs A B A B ...; each answers a number (or an object of numbers). Answers the samples of either. */
export async function alternate(pairs, ours, peer) {
  const samples = { ours: [], peer: [] };
  for (let pair = 0; pair < pairs; pair++) {
    samples.ours.push(await ours(pair));
    samples.peer.push(await peer(pair));
  }
  return samples;
}

/** Milliseconds that `work` takes. */
export async function timed(work) {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
