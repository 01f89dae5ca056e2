/** Numbers and times as people read them. Those with the unit of a metric are `shownQuantity` of core. */

const two = (value: number): string => String(value).padStart(2, '0');

/** `14:05:09`, in the reader's time zone. */
export function clockTime(ms: number): string {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** With the date, once it is another day than `nowMs`. */
export function moment(ms: number, nowMs: number): string {
  const at = new Date(ms);
  const today = new Date(nowMs).toDateString() === at.toDateString();
  return today ? clockTime(ms) : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clockTime(ms)}`;
}

/** `4 s`, `12 min`, `3 h`, `5 d`: how long something took, or has been so. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** Requests per second with three digits that matter, and thousands in k. */
export function rate(value: number | null): string {
  if (value === null) return '–';
  const shown = value >= 10_000 ? value / 1000 : value;
  const digits = shown === 0 || shown >= 100 ? 0 : shown >= 10 ? 1 : 2;
  return `${shown.toFixed(digits)}${value >= 10_000 ? ' k' : ' '}/s`.replace('  ', ' ');
}

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  let left = value;
  for (; left >= 1024 && at < units.length - 1; at++) left /= 1024;
  return `${left >= 100 || at === 0 ? Math.round(left) : left.toFixed(1)} ${units[at]}`;
}

/** `30m`, `1h30m`, `45s` as milliseconds; null when it is none of these. */
export function duration(text: string): number | null {
  const match = /^\s*(?:(\d{1,5})\s*h)?\s*(?:(\d{1,5})\s*m(?:in)?)?\s*(?:(\d{1,6})\s*s)?\s*$/.exec(text);
  if (match === null || text.trim() === '') return null;
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return ms > 0 ? ms : null;
}
