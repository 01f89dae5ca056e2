import { UsageError } from './usage-error.js';

/** A moment as `docker logs --since` takes it. */

const UNIT_S: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };
const DURATION = /^(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+$/;
const UNIX = /^[0-9]{1,11}(?:\.[0-9]{1,9})?$/;
/** RFC 3339; the time may be left out, and so may the zone, which then is the local one. */
const MOMENT =
  /^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?)(Z|z|[+-][0-9]{2}:[0-9]{2})?)?$/;

/** Unix seconds of `10m` (ago), `1h30m`, `2026-11-21T12:00:00Z` or `1700000000.25`; UsageError for anything else. */
export function sinceTime(text: string, nowMs: number, option = 'since'): number {
  if (UNIX.test(text)) return Number(text);
  if (DURATION.test(text)) {
    const parts = [...text.matchAll(/([0-9.]+)(ms|s|m|h|d)/g)];
    const seconds = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_S[unit ?? ''] ?? 0), 0);
    return Math.max(0, rounded(nowMs / 1000 - seconds));
  }
  const [, day, time = '00:00:00', zone = ''] = MOMENT.exec(text) ?? [];
  const ms = day === undefined ? Number.NaN : Date.parse(`${day}T${time}${zone.toUpperCase()}`);
  if (ms >= 0) return rounded(ms / 1000);
  throw new UsageError(`--${option}: expected a time such as 10m, 1h30m, 2026-11-21T12:00:00Z or Unix seconds, not '${text}'`);
}

/** Whole milliseconds: more digits than that no daemon keeps. */
const rounded = (seconds: number): number => Math.round(seconds * 1000) / 1000;
