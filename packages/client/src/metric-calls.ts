import { answerOf, get, pathOf } from './call.js';
import type { Target } from './exchange.js';
import type { PostedWritten } from './wire.js';

/** What is measured of an endpoint, and what programs add to it. */
export interface MetricCalls {
  metrics(name: string): Promise<Readonly<Record<string, number>>>;
  /**
   * Posts JSON like `{"queue": 12, "wait": [3, 0.25]}`, a weight before its value, about the endpoint or one of its backends
   * (by id or address); it replaces what the same source posted before. Sent as it is, so that the daemon judges it.
   */
  setMetrics(name: string, text: string, backend?: string): Promise<PostedWritten>;
}

export function metricCalls(target: Target): MetricCalls {
  return {
    metrics: (name) => get(target, pathOf(name, 'metrics')),
    setMetrics: (name, text, backend) => {
      const path = pathOf(name, backend === undefined ? 'metrics' : `metrics/${encodeURIComponent(backend)}`);
      return answerOf(target, { method: 'POST', path, body: { type: 'application/json', text } });
    },
  };
}
