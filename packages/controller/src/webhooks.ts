import {
  type Clock,
  describeError,
  KEYS,
  type KeptNotice,
  keptNotices,
  type LogLevel,
  type Loop,
  type Meter,
  type Notice,
  type StateStore,
  type StateView,
  startLoop,
} from '@reactor/core';
import { deliver, type Outcome } from './delivery.js';

/**
 * Tells the operator's receivers of notices, while this daemon leads:
 * 1. Each receiver is told in order and one at a time; one that hangs or fails holds up nobody else's.
 * 2. A notice is struck out when every receiver has been told, or it was given up. So each is told at least once, whoever
 *    leads meanwhile, and again by a new leader: with the same id.
 * 3. All is bounded: what is too many, too old or refused is given up, counted and said.
 */
export interface WebhooksOptions {
  readonly store: StateStore;
  readonly clock: Clock;
  readonly urls: readonly string[];
  readonly secret: string;
  readonly leads: () => boolean;
  readonly meter: Meter;
  readonly log: (level: LogLevel, message: string) => void;
}

export interface Webhooks {
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 1_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
/** Whoever has been away for longer looks at what is, not at what was. */
const TOLD_WITHIN_MS = 3_600_000;
/** Beyond so many the oldest are given up. */
const KEPT_LIMIT = 1_000;
/** An answer that will not change is asked for a few times all the same: it may be the receiver's own mistake of a moment. */
const REFUSALS_LIMIT = 3;

export function startWebhooks(options: WebhooksOptions): Webhooks {
  const { store, clock, urls, log, meter } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  /** Who need not be told any more, by key. */
  const settled = new Map<string, Set<string>>();
  let view: StateView | undefined;

  const look = async (): Promise<readonly KeptNotice[]> => {
    view = await store.read(KEYS.notices, view);
    const kept = keptNotices(view);
    for (const key of settled.keys()) if (!view.entries.has(key)) settled.delete(key);
    return kept;
  };

  const giveUp = (url: string, why: string): void => {
    meter.add('reactor_notices_total', { result: 'dropped' });
    log('warning', `webhook ${shown(url)}: a notice is given up: ${why}`);
  };

  /** Once everybody is told, or will not be; asked again at every look, for the state may have been away. */
  const strikeOut = async ({ key, revision }: KeptNotice): Promise<void> => {
    const whom = settled.get(key);
    if (urls.every((url) => whom?.has(url))) await store.commit({ expect: [{ key, revision }], write: [{ key, value: null }] });
  };

  const receiver = (url: string): Loop => {
    let failures = 0;
    let retryAtMs = 0;
    const round = async (): Promise<void> => {
      if (!options.leads() || clock.monotonic() < retryAtMs) return;
      const all = await look();
      for (const [index, kept] of all.entries()) {
        if (signal.aborted || !options.leads()) return;
        if (settled.get(kept.key)?.has(url)) {
          await strikeOut(kept);
          continue;
        }
        const { notice } = kept;
        const hopeless = whyHopeless(notice, all.length - index, clock.now());
        const outcome = hopeless === null ? await tell(url, notice!) : null;
        if (signal.aborted) return;
        const refused = outcome?.kind === 'refused' && failures + 1 >= REFUSALS_LIMIT;
        if (outcome !== null && outcome.kind !== 'delivered' && !refused) {
          if (failures === 0) log('warning', `webhook ${shown(url)}: ${outcome.why}; it is tried again`);
          retryAtMs = clock.monotonic() + Math.min(FIRST_WAIT_MS * 2 ** Math.min(failures, 10), LONGEST_WAIT_MS);
          failures += 1;
          meter.add('reactor_notices_total', { result: 'failed' });
          return;
        }
        failures = 0;
        if (outcome?.kind === 'delivered') meter.add('reactor_notices_total', { result: 'delivered' });
        else giveUp(url, hopeless ?? (outcome?.kind === 'refused' ? outcome.why : ''));
        settled.set(kept.key, (settled.get(kept.key) ?? new Set<string>()).add(url));
        await strikeOut(kept);
      }
    };
    const failed = (error: unknown): void => log('warning', `webhook ${shown(url)}: ${describeError(error)}`);
    return startLoop({ clock, signal, intervalMs: LOOK_EVERY_MS, minGapMs: 0, round, failed });
  };

  const tell = (url: string, notice: Notice): Promise<Outcome> => {
    const body = JSON.stringify({ ...notice, time: new Date(notice.atMs).toISOString(), cluster: view?.clusterId ?? null });
    return deliver({ url, secret: options.secret, id: notice.id, event: notice.event, body, nowMs: clock.now(), signal });
  };

  const loops = urls.map(receiver);
  return {
    async stop() {
      stopping.abort();
      await Promise.all(loops.map(({ done }) => done));
    },
  };
}

function whyHopeless(notice: Notice | null, newerOnes: number, nowMs: number): string | null {
  if (notice === null) return 'it cannot be read';
  if (newerOnes > KEPT_LIMIT) return `there are more than ${KEPT_LIMIT}`;
  return nowMs - notice.atMs > TOLD_WITHIN_MS ? `it is older than ${TOLD_WITHIN_MS / 60_000} min` : null;
}

/** Without what may be a secret of its own. */
function shown(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}
