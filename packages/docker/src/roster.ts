/**
 * This cluster's containers on the engine, kept cheap to ask for: a poll is ONE call. The listing knows labels, state and
 * ports; when a container started and how it ended only an inspect says, so each start (and each end) of a container is
 * inspected once and its facts are kept for as long as the listing shows the same start of it.
 *
 * 1. All facts about a container are of one inspect, never put together from two moments.
 * 2. A container whose inspect hangs or fails is told from the listing alone; it holds up nobody else.
 * 3. Nothing is kept about a container the listing no longer shows.
 */
import type { Container } from '@reactor/core';
import { ReactorError } from '@reactor/core';
import type { Connection } from './connection.js';
import { refusal } from './failure.js';
import { LABELS } from './labels.js';
import type { Limits } from './limits.js';
import type { Row } from './reply.js';
import { readInspect, readRow } from './reply.js';

/** More at once are no faster: the engine answers an inspect from memory, one lock after the other. */
const INSPECTS_AT_ONCE = 4;

export interface Roster {
  list(): Promise<readonly Container[]>;
  /** Something happened to it: ask again. */
  forget(containerId: string): void;
}

export function createRoster(connection: Connection, cluster: string, limits: Limits): Roster {
  const known = new Map<string, { readonly startKey: string; readonly container: Container }>();

  async function inspected(row: Row): Promise<Container | null> {
    const { id } = row.container;
    const cached = known.get(id);
    if (cached !== undefined && cached.startKey === row.startKey) return cached.container;
    // While a start is under way the engine does not answer an inspect, and the listing says all there is to know.
    if (row.container.status === 'created') return row.container;
    const container = await inspect(id, row.container);
    if (container !== null && container !== row.container && row.startKey !== null) {
      known.set(id, { startKey: row.startKey, container });
    }
    return container;
  }

  /** Null when it is gone meanwhile. */
  async function inspect(id: string, otherwise: Container): Promise<Container | null> {
    try {
      const answer = await connection.call({ method: 'GET', path: `/containers/${id}/json`, deadlineMs: limits.inspectMs });
      if (answer.status === 404) return null;
      return readInspect(answer.json, cluster) ?? otherwise;
    } catch (error) {
      if (error instanceof ReactorError) return otherwise;
      throw error;
    }
  }

  return {
    async list() {
      const query = { all: 1, filters: { label: [`${LABELS.cluster}=${cluster}`] } };
      const answer = await connection.call({ method: 'GET', path: '/containers/json', query, deadlineMs: limits.readMs });
      if (answer.status >= 400) throw refusal(answer, 'list the containers');
      if (!Array.isArray(answer.json)) throw new ReactorError('docker_unavailable', 'GET /containers/json answered no list');
      const rows = answer.json.map((row) => readRow(row, cluster)).filter((row) => row !== null);
      const shown = new Set(rows.map((row) => row.container.id));
      for (const id of known.keys()) if (!shown.has(id)) known.delete(id);
      return (await eachOf(rows, inspected)).filter((container) => container !== null);
    },
    forget: (containerId) => void known.delete(containerId),
  };
}

/** In the order of the rows, some at once. */
async function eachOf(
  rows: readonly Row[],
  work: (row: Row) => Promise<Container | null>,
): Promise<readonly (Container | null)[]> {
  const done: (Container | null)[] = rows.map(() => null);
  const queue = rows.entries();
  const worker = async () => {
    for (const [index, row] of queue) done[index] = await work(row);
  };
  await Promise.all(Array.from({ length: INSPECTS_AT_ONCE }, worker));
  return done;
}
