/** A metric's value with its unit, in digits that matter; custom metrics are shown as posted. */
export function metricValue(metric: string, value: number): string {
  if (metric === 'rate') return `${digits(value)}/s`;
  if (metric === 'bytes') return `${bytes(value)}/s`;
  if (metric === 'errors') return `${digits(value * 100)} %`;
  if (metric === 'response' || /^p\d\d$/.test(metric))
    return value > 0 && value < 1 ? `${digits(value * 1000)} ms` : `${digits(value)} s`;
  return digits(value);
}

function bytes(value: number): string {
  if (value >= 1e9) return `${digits(value / 1e9)} GB`;
  if (value >= 1e6) return `${digits(value / 1e6)} MB`;
  return value >= 1e3 ? `${digits(value / 1e3)} kB` : `${digits(value)} B`;
}

/** Four significant digits, whole numbers in full: 33.01, 0.1235, 123456. */
const digits = (value: number): string =>
  Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(4)));
