import { KEYS, plan } from '../../packages/core/dist/index.js';
import { figure } from './figure.mjs';
import { clusterOf, createResolver, ENDPOINTS, HOSTS, INSTANCES, largeCluster, trafficReports } from './large-cluster.mjs';
import { memoryOf } from './process-cost.mjs';
import { alternate, median, timed } from './sample.mjs';

/** The pure plan of a large cluster, against turning its snapshot into JSON and back: what it costs merely to look at it. */

const PAIRS = 5;
/** Rounds until the compiler has seen enough. */
const WARM_UP = 10;
const GROWING = ENDPOINTS / 10;
const EPOCH = 1;
const SIZE = `${ENDPOINTS.toLocaleString('en-US')} endpoints x ${INSTANCES} instances x ${HOSTS} hosts`;

export async function measure(say) {
  say(`making ${SIZE}`);
  const nowMs = 1_700_000_000_000;
  const { cluster, records } = settledCluster(nowMs);
  const steady = trafficReports(nowMs);
  const growing = trafficReports(nowMs, { surging: GROWING });
  const resolve = createResolver();
  const round = (reports) => planned({ cluster, resolve, nowMs, reports });
  const before = memoryOf('self');
  for (let run = 0; run < WARM_UP; run++) round(steady);
  const after = memoryOf('self');

  const idle = round(steady);
  const busy = round(growing);
  if (idle.commits !== 0 || busy.starts < GROWING)
    throw new Error(`${idle.commits} commits when settled, ${busy.starts} starts when growing`);
  say(`planning, ${PAIRS} x against JSON; ${busy.starts} starts when growing`);
  const of = async (reports, pairs = PAIRS) => {
    const samples = await alternate(
      pairs,
      () => timed(() => round(reports)),
      () => timed(() => throughJson([records, reports])),
    );
    return { ours: median(samples.ours), peer: { name: 'snapshot through JSON', value: median(samples.peer) } };
  };
  const target = [{ of: 'ours', op: '<=', limit: 50 }];
  const few = await of(steady);
  const many = await of(growing);
  const everywhere = await of(trafficReports(nowMs, { sources: HOSTS }), 1);
  return [
    figure({ id: 'P4', name: `pure plan, ${SIZE}`, unit: 'ms', ...few, targets: target }),
    figure({ id: 'P4', name: 'the same, 10 % of the endpoints growing', unit: 'ms', ...many, targets: target }),
    figure({
      id: 'P4',
      name: 'the same, settled, every endpoint asked through every host',
      unit: 'ms',
      ...everywhere,
      targets: target,
    }),
    figure({
      id: 'P4',
      name: 'memory of a process that plans it, resident',
      unit: 'MB',
      ours: after / 1e6,
      peer: { name: 'with the snapshot alone', value: before / 1e6 },
      targets: [{ of: 'ours', op: '<=', limit: 300 }],
    }),
  ];
}

/** With what the controller would remember of it, so that a round finds nothing to do. */
function settledCluster(nowMs) {
  const records = largeCluster(nowMs);
  const reports = trafficReports(nowMs);
  const first = plan(planInput({ cluster: clusterOf(records), resolve: createResolver(), nowMs, reports }));
  for (const { endpoint, history } of first.endpoints) if (history) records.push([KEYS.history(endpoint.value.name), history]);
  return { records, cluster: clusterOf(records) };
}

function planInput({ cluster, resolve, nowMs, reports }) {
  let ids = 0;
  return {
    nowMs,
    epoch: EPOCH,
    cluster,
    resolve,
    traffic: new Map(reports),
    random: () => 0.5,
    newId: () => `new${++ids}`,
  };
}

function planned(from) {
  const { endpoints } = plan(planInput(from));
  const commits = endpoints.filter(({ instances, history }) => instances.length > 0 || history !== null).length;
  const starts = endpoints.flatMap(({ report }) => report.steps).filter(({ kind }) => kind === 'start').length;
  return { commits, starts };
}

function throughJson(snapshot) {
  return JSON.parse(JSON.stringify(snapshot));
}
