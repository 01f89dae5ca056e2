/**
 * Production code made wrong on purpose, one mistake at a time: the simulation has to notice each. `find` occurs exactly once
 * in `file`, else the list itself is wrong and everything stops.
 */
const agent = (file) => `packages/agent/src/${file}.ts`;
const core = (file) => `packages/core/src/${file}.ts`;
const controller = (file) => `packages/controller/src/${file}.ts`;

export const MUTANTS = [
  {
    name: 'commit-whatever-the-endpoint-became',
    seed: 68,
    file: controller('round'),
    find: '      { key: KEYS.endpoint(name), revision: endpoint.revision },\n',
    replace: '',
  },
  {
    name: 'leader-for-ever',
    seed: 11,
    file: controller('leadership'),
    find: 'value: { ...leader }, lease: lease.id }',
    replace: 'value: { ...leader } }',
  },
  {
    name: 'same-epoch-for-every-term',
    seed: 11,
    file: controller('leadership'),
    find: '?? 0) + 1;',
    replace: '?? 1);',
  },
  {
    name: 'remove-while-draining',
    seed: 2,
    file: agent('instances'),
    find: "    if (record.phase === 'remove') {\n      if (container",
    replace: "    if (record.phase !== 'run') {\n      if (container",
  },
  {
    name: 'another-name-at-every-start',
    seed: 1,
    file: agent('launch'),
    find: '          name: containerName(record),',
    replace: "          name: [containerName(record), attempt, ports.take(options.portsInUse())].join('-'),",
  },
  {
    name: 'reuse-a-port-at-once',
    seed: 1,
    file: agent('port-pool'),
    find: '  let next = Math.floor(start * size);',
    replace: '  let next = 0;',
    also: [{ find: '        next = (next + 1) % size;', replace: '        next = inUse.has(port) ? (next + 1) % size : 0;' }],
  },
  {
    name: 'ready-before-the-check',
    seed: 1,
    file: agent('health'),
    find: '  if (watch.target === null) return tell(ready());',
    replace: '  tell(ready());',
  },
  {
    name: 'serve-what-is-starting',
    seed: 1,
    file: agent('services'),
    find: "  const ready = meant.filter((instance) => reportOf(instance)?.state === 'ready');",
    replace: "  const ready = meant.filter((instance) => ['ready', 'starting'].includes(reportOf(instance)?.state ?? ''));",
  },
  {
    name: 'say-taken-out-before-it-is',
    seed: 201,
    file: agent('balancing'),
    find: '    const setAside = await apply(services);',
    replace: '    const setAside = {};\n    void apply(services);',
  },
  {
    name: 'serve-what-drains',
    seed: 2,
    file: agent('services'),
    find: "  const meant = instances.filter((instance) => instance.phase === 'run');",
    replace: "  const meant = instances.filter((instance) => instance.phase !== 'remove');",
  },
  {
    name: 'drain-without-asking-the-balancers',
    seed: 7,
    file: core('retire'),
    find: '  if (facts.holdout !== null) return',
    replace: '  if (facts.holdout === undefined) return',
  },
  {
    name: 'ask-one-balancer-only',
    seed: 14,
    file: core('retire'),
    find: '  for (const host of [...cluster.hosts.keys()].sort()) {',
    replace: '  for (const host of [...cluster.hosts.keys()].sort().slice(0, 1)) {',
  },
  {
    name: 'believe-an-older-acknowledgement',
    seed: 7,
    file: core('retire'),
    find: '    if (balancer.revision < instance.revision || balancer.serving.includes(instance.record.id)) return host;',
    replace: '    if (balancer.serving.length > 99) return host;',
  },
  {
    name: 'give-slots-out-twice',
    seed: 99,
    file: core('endpoint-draft'),
    find: '  draft.ledger.add(record);\n',
    replace: '',
  },
  {
    name: 'forget-before-it-is-gone',
    seed: 2,
    file: core('plan-endpoint'),
    find: "    const gone = record.phase === 'remove' && view.report?.state === 'gone';",
    replace: "    const gone = record.phase === 'remove';",
  },
  {
    name: 'ignore-paused',
    seed: 18,
    file: core('plan-endpoint'),
    find: "  if (input.endpoint.state !== 'PAUSED') {",
    replace: "  if (input.endpoint.state !== 'REMOVED' || input.seats >= 0) {",
  },
  {
    name: 'two-successors-for-one-seat',
    seed: 7,
    file: core('plan-endpoint'),
    find: '    if (!handedOver && !start(',
    replace: '    if (!start(',
  },
  {
    name: 'successor-above-max',
    seed: 1,
    file: core('plan-endpoint'),
    find: '  return own.filter((view) => meantToRun(view) && !superseded.has(view.record.id)).length;',
    replace:
      "  return own.filter((view) => meantToRun(view) && view.status === 'ready' && !superseded.has(view.record.id)).length;",
  },
  {
    name: 'below-min',
    seed: 1,
    file: core('decision'),
    find: '  const delayed = Math.min(Math.max(largest, wanted), scaling.maxInstances);',
    replace: '  const delayed = Math.min(Math.max(largest, wanted) - (wanted < 2 ? 1 : 0), scaling.maxInstances);',
  },
  {
    name: 'above-max',
    seed: 1,
    file: core('decision'),
    find: '  const delayed = Math.min(Math.max(largest, wanted), scaling.maxInstances);',
    replace: '  const delayed = Math.max(largest, wanted) + 1;',
  },
];
