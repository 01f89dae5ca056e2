import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApi } from '../../packages/api/dist/index.js';
import { decide, KEYS, LOGS, NO_HISTORY, packDecision, parseRules, TOPICS } from '../../packages/core/dist/index.js';
import { openEmbedded } from '../../packages/state/dist/index.js';
import { figure } from './figure.mjs';
import { alternate, quantile, timed } from './sample.mjs';

/** What it takes the API to say why: asked over HTTP, with as many decisions kept as a cluster keeps. */

const KEPT = 10_000;
const ENDPOINTS = 100;
const PER_APPEND = 500;
const ASKED = 500;
const WARM_UP = 50;
const START_MS = 1_700_000_000_000;
const TTL_MS = 600_000;

export async function measure(say) {
  const directory = mkdtempSync(join(tmpdir(), 'reactor-bench-'));
  const store = await openEmbedded({ directory });
  const api = createApi({
    store,
    now: () => START_MS + KEPT * 1_000,
    newId: () => 'bench',
    version: 'bench',
    host: 'bench',
    health: () => ({ ok: true, problems: [] }),
    log: () => {},
  });
  try {
    say(`keeping ${KEPT} decisions`);
    await fill(store);
    const { port } = await api.listen('127.0.0.1', 0);
    const ask = (path) =>
      timed(async () => {
        const response = await fetch(`http://127.0.0.1:${port}${path}`);
        const text = await response.text();
        if (!response.ok) throw new Error(`${path}: ${text}`);
      });
    const figures = [];
    for (const [name, path] of [
      ['explain over the API, 99th percentile', '/v1.1/endpoints/e0/explain'],
      ['the same, of the oldest decision that is kept', `/v1.1/endpoints/e0/explain?at=${START_MS}`],
    ]) {
      say(name);
      await alternate(
        WARM_UP,
        () => ask(path),
        () => ask('/healthz'),
      );
      const { ours, peer } = await alternate(
        ASKED,
        () => ask(path),
        () => ask('/healthz'),
      );
      figures.push(
        figure({
          id: 'P14',
          name,
          unit: 'ms',
          ours: quantile(ours, 0.99),
          peer: { name: 'GET /healthz', value: quantile(peer, 0.99) },
          targets: [],
        }),
      );
    }
    return figures;
  } finally {
    await api.close();
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Decisions about each endpoint in turn; the last one of the first is published, too. */
async function fill(store) {
  const write = Array.from({ length: ENDPOINTS }, (_, index) => {
    const name = `e${index}`;
    return { key: KEYS.endpoint(name), value: { name, uid: name, document: {}, state: 'RUNNING', changedAtMs: START_MS } };
  });
  await store.commit({ expect: [], write });
  for (let from = 0; from < KEPT; from += PER_APPEND) {
    const reports = Array.from({ length: PER_APPEND }, (_, index) => reportOf(from + index));
    await store.append(LOGS.decisions, reports.map(packDecision));
  }
  await store.publish({ [TOPICS.decision('e0')]: reportOf(KEPT) }, TTL_MS);
}

function reportOf(number) {
  const rules = parseRules('3 < rate < 10, p95 < 300ms').value;
  const total = (value) => ({ kind: 'total', value, ageMs: 400, sources: { reported: 3, expected: 3 } });
  const average = (value) => ({ ...total(value), kind: 'average' });
  const times = { response: average(0.05), p50: average(0.04), p90: average(0.11), p95: average(0.12), p99: average(0.2) };
  const metrics = { rate: total(20 + (number % 40)), bytes: total(81_234.5), active: total(7), ...times, errors: average(0.001) };
  const atMs = START_MS + number * 1_000;
  const { record } = decide({
    endpoint: `e${number % ENDPOINTS}`,
    atMs,
    epoch: 3,
    state: 'RUNNING',
    scaling: { minInstances: 1, maxInstances: 20, rules, rampLimit: 5, windowMs: 10_000, scaleDownDelayMs: 30_000 },
    instances: 4,
    stable: { metrics, requests: 300, partial: false },
    burst: { metrics: { rate: total(20) }, requests: 40, partial: false },
    history: NO_HISTORY,
  });
  return { atMs, record, steps: [{ kind: 'start', instance: 'i1', host: 'vm1', replaces: null, why: 'load' }] };
}
