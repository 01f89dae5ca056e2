/**
 * What happens on the engine, as a hint to look: ids of containers that may have changed, each at most once until it is
 * taken. Lost, doubled and reordered events do no harm, as whoever is woken reads the state itself; after every
 * (re)connection null says so: look at all.
 */
import type { Connection } from './connection.js';
import { LABELS } from './labels.js';
import type { Limits } from './limits.js';
import { jsonLines } from './lines.js';
import { at, text } from './loose-json.js';
import { createMailbox } from './mailbox.js';

/** Events after which a listing reads differently; attach, exec and the like are left out. */
const EVENTS = ['create', 'start', 'die', 'oom', 'pause', 'unpause', 'rename', 'restart', 'update', 'destroy'];

/** After an engine restart the first tries come quickly, as containers need adopting; a dead engine is tried every 5 s. */
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;

export async function* watchEvents(
  connection: Connection,
  cluster: string,
  limits: Limits,
  changed: (containerId: string) => void,
  signal: AbortSignal,
): AsyncGenerator<string | null> {
  const mailbox = createMailbox();
  const stop = new AbortController();
  const end = () => stop.abort();
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  const put = (id: string | null) => {
    if (id !== null) changed(id);
    mailbox.put(id);
  };
  const following = follow(connection, cluster, limits, put, stop.signal).finally(mailbox.close);
  try {
    yield* mailbox.take();
    await following;
  } finally {
    signal.removeEventListener('abort', end);
    end();
  }
}

async function follow(
  connection: Connection,
  cluster: string,
  limits: Limits,
  put: (id: string | null) => void,
  signal: AbortSignal,
): Promise<void> {
  const query = { filters: { type: ['container'], event: EVENTS, label: [`${LABELS.cluster}=${cluster}`] } };
  let backoffMs = FIRST_BACKOFF_MS;
  while (!signal.aborted) {
    const triedMs = performance.now();
    try {
      // The engine may be another version since the connection broke.
      await connection.version();
      const opened = await connection.open({ method: 'GET', path: '/events', query, deadlineMs: limits.readMs, signal });
      if (!('json' in opened)) {
        put(null);
        for await (const event of jsonLines(opened)) {
          const id = text(at(event, 'Actor', 'ID'));
          if (id !== null && at(event, 'Actor', 'Attributes', LABELS.cluster) === cluster) put(id);
        }
      }
    } catch {
      // The connection says once that Docker does not answer; here it only means another try.
    }
    // Only a stream that lasted was a good one: what answers and hangs up at once must not make us spin.
    if (performance.now() - triedMs > MAX_BACKOFF_MS) backoffMs = FIRST_BACKOFF_MS;
    await pause(backoffMs, signal);
    backoffMs = Math.min(backoffMs * 2, MAX_BACKOFF_MS);
  }
}

/** Ends early, and quietly, when the signal aborts. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    signal.addEventListener('abort', finish, { once: true });
  });
}
