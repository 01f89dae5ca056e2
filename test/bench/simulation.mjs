import { decide, logTape, NO_HISTORY, parseRules, simulate } from '../../packages/core/dist/index.js';
import { figure } from './figure.mjs';
import { alternate, median, timed } from './sample.mjs';

/** A day of a log, second by second, through `reactor simulate`'s own function, against making so many decisions about nothing new. */

const SECONDS = 86_400;
const PAIRS = 3;
const FIRST_SECOND = 1_700_000_000;
const METRICS = new Set(['rate', 'active', 'response']);
const WINDOW_MS = 10_000;

export async function measure(say) {
  say(`making a log of ${SECONDS.toLocaleString('en-US')} seconds`);
  const seconds = Array.from({ length: SECONDS }, (_, index) => {
    const requests = Math.round(1000 + 900 * Math.sin(index / 4000) + ((index * 7_919) % 97));
    return {
      second: FIRST_SECOND + index,
      requests,
      bytes: requests * 900,
      timed: requests,
      seconds: requests / 25,
      errors: 0,
      times: [],
    };
  });
  const rules = parseRules('20 < rate < 50').value;
  const scaling = { minInstances: 1, maxInstances: 100, rules, rampLimit: 5, windowMs: WINDOW_MS, scaleDownDelayMs: 30_000 };
  const simulated = () => {
    const tape = logTape(seconds, { windowMs: WINDOW_MS, metrics: METRICS, quantiles: false });
    const model = { decommissionedTimeoutMs: 60_000, startMs: 2_000, capacity: null, instances: 1 };
    const { rounds, summary } = simulate({ scaling, ...model, tape });
    if (rounds.length !== SECONDS || summary.peak < 30)
      throw new Error(`${rounds.length} rounds, at most ${summary.peak} instances`);
  };
  say(`simulating them, ${PAIRS} x against deciding alone`);
  simulated();
  const samples = await alternate(
    PAIRS,
    () => timed(simulated),
    () => timed(() => decided(scaling)),
  );
  return [
    figure({
      id: 'P13',
      name: 'simulate: 24 h of a log, a round a second',
      unit: 'ms',
      ours: median(samples.ours),
      peer: { name: 'its decisions alone', value: median(samples.peer) },
      targets: [{ of: 'ours', op: '<=', limit: 2_000 }],
    }),
  ];
}

/** As many decisions, each about the same readings. */
function decided(scaling) {
  const sources = { reported: 1, expected: 1 };
  const reading = { kind: 'total', value: 1_000, ageMs: 0, sources };
  const measurement = { metrics: { rate: reading }, requests: 10_000, partial: false };
  let history = NO_HISTORY;
  for (let index = 0; index < SECONDS; index++) {
    const atMs = (FIRST_SECOND + index) * 1000;
    const input = {
      endpoint: 'web',
      atMs,
      epoch: 0,
      state: 'RUNNING',
      scaling,
      instances: 30,
      stable: measurement,
      burst: measurement,
    };
    ({ history } = decide({ ...input, history }));
  }
}
