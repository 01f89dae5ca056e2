import { type ApplyReport, type LoadBalancer, ReactorError, type Service, type TrafficReport } from '@reactor/core';
import type { Machine, Process } from './machine.js';
import type { Oracles } from './oracles.js';
import type { World } from './world.js';

/**
 * The load balancer of one host: generations of workers. A reload begins a new one at once, while workers of older ones
 * accept requests until they have noticed; only when none of those is left is the change acknowledged.
 */

/** What the workers of one configuration serve. */
export interface Generation {
  readonly services: readonly Service[];
  readonly text: string;
}

export interface BalancerState {
  /** Null while it does not run: before the first start, and without power. */
  running: Generation | null;
  /** What a start would serve: the last configuration that was taken up. */
  saved: Generation;
  /** Generations that still accept requests, until when. */
  old: readonly { readonly generation: Generation; readonly untilMs: number }[];
  completeSinceMs: number;
  /** By endpoint, newest last. */
  readonly buckets: Map<string, { second: number; requests: number }[]>;
  /** Open connections by endpoint and instance. */
  readonly active: Map<string, Map<string, number>>;
  /** What is reported, made anew when something changed. */
  report: TrafficReport['endpoints'] | null;
}

const NOTHING: Generation = { services: [], text: '[]' };
const SLOWEST_WORKER_MS = 110;
const BUCKETS = 24;

export function createBalancerState(): BalancerState {
  return { running: null, saved: NOTHING, old: [], completeSinceMs: 0, buckets: new Map(), active: new Map(), report: null };
}

/** Every generation that may get requests now. */
export function acceptingGenerations(machine: Machine): readonly Generation[] {
  const { running, old } = machine.balancer;
  if (running === null) return [];
  return [running, ...old.filter(({ untilMs }) => untilMs > machine.world.nowMs).map(({ generation }) => generation)];
}

export function openBalancer(world: World, process: Process, oracles: Oracles): LoadBalancer {
  const { machine } = process;
  const { chance, weather } = world;
  const state = machine.balancer;
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => process.after(ms * machine.slowness, 'balancer', resolve));

  const acknowledged = async (): Promise<void> => {
    const lastMs = Math.max(0, ...state.old.map(({ untilMs }) => untilMs));
    if (lastMs > world.nowMs) await pause(lastMs - world.nowMs + 1);
    state.old = state.old.filter(({ untilMs }) => untilMs > world.nowMs);
  };

  const apply = async (services: readonly Service[]): Promise<ApplyReport> => {
    const text = JSON.stringify(services.map(({ endpoint, url, backends }) => [endpoint, url, backends]));
    const same = text === state.running?.text;
    if (!same) await pause(chance.whole(5, 40));
    if (state.running === null) throw new ReactorError('balancer_unavailable', 'the load balancer does not run');
    if (!same && chance.happens(weather.refusalRate)) {
      world.cover('a load balancer refuses');
      throw new ReactorError('balancer_refused', 'the load balancer refused its configuration');
    }
    if (!same) {
      const untilMs = world.nowMs + chance.whole(2, SLOWEST_WORKER_MS);
      state.old = [...state.old, { generation: state.running, untilMs }];
      state.running = { services, text };
      state.saved = state.running;
      state.report = null;
      oracles.routed(process, state.running);
    }
    await acknowledged();
    return { changed: !same, setAside: {} };
  };

  return {
    async open() {
      await pause(chance.whole(5, 30));
      if (state.running !== null) return;
      state.running = state.saved;
      state.completeSinceMs = machine.wallMs();
      state.buckets.clear();
      state.report = null;
    },
    apply,
    traffic: async (nowMs) => reportOf(state, nowMs),
    close: async () => undefined,
  };
}

function reportOf(state: BalancerState, nowMs: number): TrafficReport {
  state.report ??= endpointsOf(state);
  return { atMs: nowMs, completeSinceMs: state.completeSinceMs, endpoints: state.report, badLines: 0, lagBytes: 0 };
}

function endpointsOf(state: BalancerState): TrafficReport['endpoints'] {
  const endpoints: Record<string, TrafficReport['endpoints'][string]> = {};
  for (const { endpoint } of state.running?.services ?? []) {
    const buckets = (state.buckets.get(endpoint) ?? []).map(({ second, requests }) => ({
      second,
      requests,
      bytes: 100 * requests,
      timed: requests,
      seconds: 0.02 * requests,
      errors: 0,
    }));
    const backends: Record<string, { active: number; requests: number; errors: number; refused: number }> = {};
    let active = 0;
    for (const [id, open] of state.active.get(endpoint) ?? []) {
      active += open;
      if (open > 0) backends[id] = { active: open, requests: 0, errors: 0, refused: 0 };
    }
    endpoints[endpoint] = { buckets, times: [], active, backends };
  }
  return endpoints;
}

/** A second's requests to one endpoint at one load balancer, spread over its backends. */
export function serve(machine: Machine, endpoint: string, requests: number): void {
  const state = machine.balancer;
  state.report = null;
  const second = Math.floor(machine.wallMs() / 1000);
  const buckets = state.buckets.get(endpoint) ?? [];
  const last = buckets.at(-1);
  if (last !== undefined && last.second === second) last.requests += requests;
  else if (requests > 0) buckets.push({ second, requests });
  if (buckets.length > BUCKETS) buckets.shift();
  state.buckets.set(endpoint, buckets);
  // What was open a second ago has ended by now, but for one connection in two.
  const active = new Map<string, number>();
  for (const [id, open] of state.active.get(endpoint) ?? []) if (open > 1) active.set(id, open >> 1);
  const backends = state.running?.services.find((service) => service.endpoint === endpoint)?.backends ?? [];
  for (const { id } of backends) active.set(id, (active.get(id) ?? 0) + Math.ceil(requests / backends.length / 4));
  state.active.set(endpoint, active);
}
