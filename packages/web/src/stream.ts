import type { LiveEvent, LiveMetrics } from '@reactor/client';
import { advance, type Board, EMPTY_BOARD, endpointsOf, metricsOf, withPastRates, withPoint, withRates } from './board.js';

/**
 * The one stream of events that a page follows, and what it has told so far. It is opened again whenever it ends, falls
 * silent, or another endpoint is looked at; what was shown stays meanwhile.
 */
export interface Stream {
  state(): LiveState;
  /** Calls back after every change; answers how to stop that. */
  subscribe(changed: () => void): () => void;
  /** Puts what an endpoint was asked before the page was opened in front of what was heard since; loaded once. */
  remember(endpoint: string, load: () => Promise<readonly number[]>): void;
  /** Whose board to follow beside the cluster's. */
  watch(endpoint: string | null): void;
  close(): void;
}

export interface LiveState {
  /** `silent`: nothing was heard for longer than there should be; what is shown is as of `heardMs`. */
  readonly connection: 'connecting' | 'live' | 'silent';
  readonly heardMs: number | null;
  readonly overview: Board;
  readonly endpoint: Board;
  readonly points: readonly LiveMetrics[];
  readonly rates: ReadonlyMap<string, readonly number[]>;
}

/** The server says something every 5 s. */
const SILENCE_MS = 12_000;
/** After an end that was meant the browser is back within a second. */
const BROKEN_MS = 3_000;
const RETRY_MS = 2_000;
const SECOND_MS = 1_000;

const NOTHING: Omit<LiveState, 'overview' | 'rates' | 'heardMs' | 'connection'> = { endpoint: EMPTY_BOARD, points: [] };

/** `ended` is asked why, when the server refuses the stream: the login may be over. */
export function openStream(ended: () => void): Stream {
  let state: LiveState = { ...NOTHING, connection: 'connecting', heardMs: null, overview: EMPTY_BOARD, rates: new Map() };
  let source: EventSource | null = null;
  let watched: string | null = null;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let broken = false;
  const listeners = new Set<() => void>();
  const remembered = new Set<string>();

  const become = (change: Partial<LiveState>): void => {
    state = { ...state, ...change };
    for (const changed of listeners) changed();
  };
  const heard = (change: Partial<LiveState> = {}): void => {
    broken = false;
    become({ connection: 'live', heardMs: Date.now(), ...change });
  };

  const connect = (): void => {
    source?.close();
    clearTimeout(retry);
    const query = watched === null ? '' : `?endpoint=${encodeURIComponent(watched)}`;
    const opened = new EventSource(`/v1.1/live${query}`);
    source = opened;
    const on = (name: string, take: (event: LiveEvent) => void): void =>
      opened.addEventListener(name, (event) => take(JSON.parse((event as MessageEvent<string>).data) as LiveEvent));
    on('overview', (event) => heard({ overview: advance(state.overview, event) }));
    on('endpoint', (event) => {
      if (event.name !== watched) return;
      const endpoint = advance(state.endpoint, event);
      heard({ endpoint, points: withPoint(state.points, metricsOf(endpoint)) });
    });
    opened.addEventListener('beat', () => heard());
    opened.addEventListener('error', () => {
      broken = true;
      // The browser comes back by itself after an end, but not after a refusal.
      if (opened.readyState !== EventSource.CLOSED || source !== opened) return;
      retry = setTimeout(connect, RETRY_MS);
      ended();
    });
  };

  const everySecond = setInterval(() => {
    const silentMs = Date.now() - (state.heardMs ?? Date.now());
    if (silentMs > (broken ? BROKEN_MS : SILENCE_MS) && state.connection === 'live') {
      become({ connection: 'silent' });
      if (!broken) connect();
    }
    if (state.connection === 'live') become({ rates: withRates(state.rates, endpointsOf(state.overview)) });
  }, SECOND_MS);

  connect();
  return {
    state: () => state,
    subscribe(changed) {
      listeners.add(changed);
      return () => listeners.delete(changed);
    },
    remember(endpoint, load) {
      if (remembered.has(endpoint)) return;
      remembered.add(endpoint);
      void load().then((rates) => become({ rates: withPastRates(state.rates, endpoint, rates) }));
    },
    watch(endpoint) {
      if (endpoint === watched) return;
      watched = endpoint;
      become({ ...NOTHING });
      connect();
    },
    close() {
      clearInterval(everySecond);
      clearTimeout(retry);
      source?.close();
      listeners.clear();
    },
  };
}
