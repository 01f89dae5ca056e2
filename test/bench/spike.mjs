import { join } from 'node:path';
import { removeBare, startBare } from './bare-docker.mjs';
import { startBareNginx } from './bare-nginx.mjs';
import { figure } from './figure.mjs';
import { startStream } from './request-stream.mjs';
import { alternate, median, quantile, timed } from './sample.mjs';
import { startHost } from './serving-host.mjs';

/** From load, a decision or a command to new instances that answer, against the bare engine and a bare nginx. */

const SPIKE = { name: 'spike', port: 8001, pairs: 6, calmPerSecond: 10, spikePerSecond: 100 };
const STEPS = { name: 'steps', port: 8002, pairs: 6, fivePairs: 4, perSecond: 200 };
const BARE_PORT = 8003;
const FIVE = 5;
const LIMIT_MS = 20_000;
/** Longer than the endpoint's window, so that a spike comes out of a calm that was measured. */
const CALM_MS = 3_000;
/** Rounds come once a second. Spikes are spread over it, else each would come at the same moment of it. */
const ROUND_MS = 1_000;

export async function measure(say) {
  const host = await startHost();
  try {
    const spike = await spikes(host, say);
    const { step, five } = await steps(host, say);
    return [
      figure({
        id: 'P1',
        name: 'load x 10 to first answer of a new instance',
        unit: 'ms',
        ours: median(spike.ours.map(({ answeredMs }) => answeredMs)),
        peer: { name: 'bare start + nginx reload', value: median(spike.peer) },
        targets: [{ of: 'ours', op: '<=', limit: 1_500 }],
      }),
      figure({
        id: 'P1',
        name: 'load x 10 to the decision, 95th percentile',
        unit: 'ms',
        ours: quantile(
          spike.ours.map(({ decidedMs }) => decidedMs),
          0.95,
        ),
        peer: { name: 'bare start + nginx reload', value: median(spike.peer) },
        targets: [{ of: 'ours', op: '<=', limit: 1_000 }],
      }),
      figure({
        id: 'P2',
        name: 'decision to first answer through the balancer',
        unit: 'ms',
        ours: median(step.ours),
        peer: { name: 'bare start until 200', value: median(step.peer) },
        targets: [{ of: 'ratio', op: '<=', limit: 1.25 }],
      }),
      figure({
        id: 'P2b',
        name: 'from 1 to 5 instances, all answering',
        unit: 'ms',
        ours: median(five.ours),
        peer: { name: 'four bare starts until 200', value: median(five.peer) },
        targets: [{ of: 'ratio', op: '<=', limit: 1.25 }],
      }),
    ];
  } finally {
    await host.stop();
  }
}

async function spikes(host, say) {
  const { name, port, pairs, calmPerSecond, spikePerSecond } = SPIKE;
  await host.deploy(name, { port, max: FIVE, scaling: 'rules=6 < rate < 20\nwindow=2\nscale_down_delay=1' });
  const stream = startStream(`http://127.0.0.1:${port}/`, calmPerSecond);
  const container = await startBare(host.docker, host.address);
  const nginx = await startBareNginx({
    directory: join(host.directory, 'bare-nginx'),
    port: BARE_PORT,
    backends: [container.address],
  });

  const spike = async (pair) => {
    await host.untilOnly(name, 1);
    await new Promise((resolve) => setTimeout(resolve, CALM_MS + (pair * ROUND_MS) / pairs));
    const known = stream.seen();
    const startedMs = Date.now();
    stream.setPace(spikePerSecond);
    const answeredMs = (await stream.newcomer(known, 1, LIMIT_MS)) - startedMs;
    stream.setPace(calmPerSecond);
    const decidedMs = (await host.decidedMs(name, startedMs)) - startedMs;
    await host.untilOnly(name, 1);
    return { answeredMs, decidedMs };
  };
  const bare = async () => {
    let started;
    const startMs = await timed(async () => {
      started = await startBare(host.docker, host.address);
    });
    const reloadMs = await nginx.reload([container.address, started.address]);
    await nginx.reload([container.address]);
    await removeBare(host.docker, started);
    return startMs + reloadMs;
  };
  say(`${pairs} spikes from ${calmPerSecond} to ${spikePerSecond} requests/s`);
  const samples = await alternate(pairs, spike, bare);
  stream.stop();
  nginx.stop();
  await removeBare(host.docker, container);
  await host.client.removeEndpoint(name);
  if (stream.failed() > 0) say(`${stream.failed()} requests failed`);
  return samples;
}

async function steps(host, say) {
  const { name, port, pairs, fivePairs, perSecond } = STEPS;
  await host.deploy(name, { port, max: 1, scaling: 'scale_down_delay=1' });
  const stream = startStream(`http://127.0.0.1:${port}/`, perSecond);
  await stream.newcomer(new Set(), 1, LIMIT_MS);
  /** Times of the decision and of the `count`th new instance's first answer, in milliseconds since the command. */
  const grow = async (count) => {
    await host.set(name, { max_instances: FIVE });
    const known = stream.seen();
    const startedMs = Date.now();
    await host.set(name, { min_instances: 1 + count });
    const answeredMs = (await stream.newcomer(known, count, LIMIT_MS)) - startedMs;
    const decidedMs = (await host.decidedMs(name, startedMs)) - startedMs;
    await host.set(name, { min_instances: 1, max_instances: 1 });
    await host.untilOnly(name, 1);
    return { answeredMs, decidedMs };
  };
  const bare = async (count) => {
    let started = [];
    const startMs = await timed(async () => {
      started = await Promise.all(Array.from({ length: count }, () => startBare(host.docker, host.address)));
    });
    await Promise.all(started.map((container) => removeBare(host.docker, container)));
    return startMs;
  };
  const growOne = async () => {
    const { answeredMs, decidedMs } = await grow(1);
    return answeredMs - decidedMs;
  };
  const growFour = async () => (await grow(FIVE - 1)).answeredMs;
  say(`${pairs} x from 1 to 2 instances`);
  const step = await alternate(pairs, growOne, () => bare(1));
  say(`${fivePairs} x from 1 to ${FIVE} instances`);
  const five = await alternate(fivePairs, growFour, () => bare(FIVE - 1));
  stream.stop();
  if (stream.failed() > 0) say(`${stream.failed()} requests failed`);
  return { step, five };
}
