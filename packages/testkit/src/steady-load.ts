import { Agent, get } from 'node:http';

/**
 * An open-loop load: requests leave at their time whether or not earlier ones have been answered, as real clients do.
 * Bounded in rate and in number.
 */
export interface SteadyLoad {
  /** Stops sending, waits for what is under way, and tells. */
  stop(): Promise<LoadResult>;
  readonly result: () => LoadResult;
}

export interface LoadResult {
  readonly sent: number;
  readonly ok: number;
  readonly failures: readonly string[];
  /** When each of those was sent, by `performance.now()`; as many, in the same order. */
  readonly failedSentMs: readonly number[];
  /** Containers (X-Instance) by answers. */
  readonly instances: ReadonlyMap<string, number>;
  /** Time until the answer's end that the fraction `q` of the good answers did not exceed, milliseconds; 0 without answers. */
  readonly latencyMs: (q: number) => number;
}

export interface LoadOptions {
  readonly url: string;
  readonly perSecond: number;
  /** Reuses connections; a reload may then reset one under a request, which every client that reuses must expect. Default false. */
  readonly keepAlive?: boolean;
  readonly most?: number;
}

const TIMEOUT_MS = 15_000;
/** Loads that nobody has stopped yet. */
const running = new Set<SteadyLoad>();
const MOST_FAILURES_KEPT = 50;

export function startLoad({ url, perSecond, keepAlive = false, most = 50_000 }: LoadOptions): SteadyLoad {
  const agent = new Agent({ keepAlive, maxSockets: 256 });
  const instances = new Map<string, number>();
  const failures: string[] = [];
  const failedSentMs: number[] = [];
  const latencies: number[] = [];
  let sent = 0;
  let ok = 0;
  let open = 0;
  let drained: (() => void) | null = null;

  const finish = (failure: string | null, instance: string, sentMs: number): void => {
    open -= 1;
    if (failure === null) {
      ok += 1;
      instances.set(instance, (instances.get(instance) ?? 0) + 1);
    } else if (failures.length < MOST_FAILURES_KEPT) {
      failures.push(failure);
      failedSentMs.push(sentMs);
    }
    if (open === 0) drained?.();
  };
  const send = (): void => {
    sent += 1;
    open += 1;
    let done = false;
    const sentMs = performance.now();
    const end = (failure: string | null, instance = ''): void => {
      if (!done && failure === null) latencies.push(performance.now() - sentMs);
      if (!done) finish(failure, instance, sentMs);
      done = true;
    };
    const request = get(url, { agent, timeout: TIMEOUT_MS }, (response) => {
      response.resume();
      response.once('end', () =>
        end(response.statusCode === 200 ? null : `status ${response.statusCode}`, String(response.headers['x-instance'] ?? '')),
      );
      response.once('error', (error) => end(error.message));
    });
    request.once('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    request.once('error', (error) => end(error.message));
  };

  const startedMs = performance.now();
  const timer = setInterval(
    () => {
      const due = Math.min(most, Math.floor(((performance.now() - startedMs) / 1000) * perSecond));
      while (sent < due) send();
    },
    Math.max(1, 1000 / perSecond / 2),
  );
  const latencyMs = (q: number): number =>
    latencies.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(latencies.length * q) - 1)] ?? 0;
  const result = (): LoadResult => ({ sent, ok, failures, failedSentMs, instances, latencyMs });
  const stop = async (): Promise<LoadResult> => {
    running.delete(load);
    clearInterval(timer);
    if (open > 0) await new Promise<void>((resolve) => (drained = resolve));
    agent.destroy();
    return result();
  };
  const load: SteadyLoad = { stop, result };
  running.add(load);
  return load;
}

/** Ends what a failed test left sending; the next one would measure it too. */
export async function stopLoads(): Promise<void> {
  await Promise.all([...running].map((load) => load.stop()));
}
