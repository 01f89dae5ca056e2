const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A duration in milliseconds as its two largest units: `0.4s`, `12s`, `3m 5s`, `2h 10m`, `4d 1h`. */
export function duration(ms: number): string {
  const size = Math.max(0, ms);
  if (size < 10 * SECOND_MS) return `${Number((size / SECOND_MS).toFixed(1))}s`;
  if (size < MINUTE_MS) return `${Math.floor(size / SECOND_MS)}s`;
  if (size < HOUR_MS) return pair(size, MINUTE_MS, 'm', SECOND_MS, 's');
  if (size < DAY_MS) return pair(size, HOUR_MS, 'h', MINUTE_MS, 'm');
  return pair(size, DAY_MS, 'd', HOUR_MS, 'h');
}

function pair(size: number, largeMs: number, large: string, smallMs: number, small: string): string {
  const rest = Math.floor((size % largeMs) / smallMs);
  return `${Math.floor(size / largeMs)}${large}${rest === 0 ? '' : ` ${rest}${small}`}`;
}
