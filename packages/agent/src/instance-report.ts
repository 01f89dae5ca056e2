import type { Container, InstanceRecord, InstanceReport } from '@reactor/core';
import { type Health, UNREADY } from './health.js';

/**
 * What the agent says of one instance, from what is meant (record), what Docker lists (container), what it said before
 * (known) and what it is doing about it. Pure.
 */
export interface Evidence {
  readonly record: InstanceRecord;
  readonly container: Container | null;
  readonly known: InstanceReport | null;
  readonly health: Health;
  /** What the agent is at, null when nothing. */
  readonly task: 'pulling' | 'starting' | 'removing' | null;
  /** Why it could not be started; null when it was, or is yet to be. */
  readonly startFailure: string | null;
}

export function reportOf(evidence: Evidence): InstanceReport {
  const { record, container, known, task } = evidence;
  if (container === null) return withoutContainer(evidence);
  const said = { containerId: container.id, startedAtMs: container.startedAtMs, address: container.address };
  if (record.phase === 'remove' && known !== null) return known;
  if (task === 'starting' || task === 'pulling') return report(record, task, UNREADY, said);
  if (container.status === 'created') return report(record, 'starting', UNREADY, said);
  switch (container.status) {
    case 'running':
      return running(evidence, said);
    case 'paused':
      return report(record, 'unhealthy', { ...evidence.health, error: 'its container is paused' }, said);
    case 'restarting':
      return report(record, 'starting', evidence.health, said);
    default:
      return report(record, 'exited', { ...evidence.health, error: endOf(container) }, { ...said, address: null });
  }
}

function withoutContainer({ record, known, task, startFailure, health }: Evidence): InstanceReport {
  const nothing = { containerId: null, startedAtMs: null, address: null };
  const before: Health = {
    ...health,
    wasReady: health.wasReady || (known?.wasReady ?? false),
    readyAtMs: health.readyAtMs ?? known?.readyAtMs ?? null,
  };
  if (record.phase === 'remove') return report(record, 'gone', { ...before, error: null }, nothing);
  if (startFailure !== null) return report(record, 'exited', { ...UNREADY, error: startFailure }, nothing);
  if (task === 'pulling' || task === 'starting') return report(record, task, UNREADY, nothing);
  const had = known !== null && known.containerId !== null;
  if (had || known?.state === 'gone')
    return report(record, 'gone', { ...before, error: 'its container was removed by somebody else' }, nothing);
  // A drain before the start: it will never be started.
  if (record.phase === 'drain') return report(record, 'gone', UNREADY, nothing);
  return report(record, 'starting', UNREADY, nothing);
}

function running({ record, health }: Evidence, said: Said): InstanceReport {
  if (health.ready) return report(record, 'ready', health, said);
  return report(record, health.failed ? 'unhealthy' : 'starting', health, said);
}

type Said = Pick<InstanceReport, 'containerId' | 'startedAtMs' | 'address'>;

function report(record: InstanceRecord, state: InstanceReport['state'], health: Health, said: Said): InstanceReport {
  return {
    id: record.id,
    endpoint: record.endpoint,
    host: record.host,
    state,
    ...said,
    readyAtMs: health.readyAtMs,
    marks: health.marks,
    wasReady: health.wasReady,
    error: health.error,
  };
}

/** How a container ended, in plain words; codes above 128 are signals by the shells' convention. */
export function endOf({ exitCode, oomKilled }: Pick<Container, 'exitCode' | 'oomKilled'>): string {
  if (oomKilled) return 'out of memory: killed at its mem_limit';
  switch (exitCode) {
    case null:
      return 'its container ended';
    case 0:
      return 'its command ended (exit code 0): a service is expected to keep running';
    case 126:
      return 'its command cannot be executed (exit code 126)';
    case 127:
      return 'its command was not found (exit code 127)';
    case 137:
      return 'killed by SIGKILL (exit code 137)';
    case 143:
      return 'ended by SIGTERM (exit code 143)';
    default:
      return exitCode > 128
        ? `ended by signal ${exitCode - 128} (exit code ${exitCode})`
        : `its command failed (exit code ${exitCode})`;
  }
}

/** The health a former daemon knew of this very container; unready when it is another one. */
export function rememberedHealth(known: InstanceReport | null, container: Container): Health {
  if (known === null || known.containerId !== container.id || known.startedAtMs !== container.startedAtMs) return UNREADY;
  const { marks, wasReady, readyAtMs, error } = known;
  return { ready: known.state === 'ready', wasReady, readyAtMs, marks, failed: known.state === 'unhealthy', error };
}
