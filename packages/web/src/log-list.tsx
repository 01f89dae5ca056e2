import type { LiveLogEntry } from '@reactor/client';
import { moment } from './figures.js';

/** What happened, newest first. */
export function LogList({ entries }: { entries: readonly LiveLogEntry[] }) {
  const now = Date.now();
  if (entries.length === 0) return <p class="empty">Nothing happened yet.</p>;
  return (
    <ol class="log" aria-label="Log, newest first">
      {entries.map(({ seq, atMs, level, message }) => (
        <li key={seq} class={`is-${level}`}>
          <time dateTime={new Date(atMs).toISOString()}>{moment(atMs, now)}</time>
          <span>
            {level !== 'info' && <b class="level">{level}: </b>}
            {message}
          </span>
        </li>
      ))}
    </ol>
  );
}
