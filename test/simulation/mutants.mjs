/**
 * Production code made wrong on purpose, one mistake at a time: the simulation has to notice each. `find` occurs exactly once
 * in `file`, else the list itself is wrong and everything stops.
 */
const agent = (file) => `packages/agent/src/${file}.ts`;
const core = (file) => `packages/core/src/${file}.ts`;
const controller = (file) => `packages/controller/src/${file}.ts`;

export const MUTANTS = [
  {
    name: 'commit-without-leader',
    seed: 14,
    file: controller('round'),
    find: '      { key: KEYS.leader, revision: leadership.revision },\n      { key: KEYS.endpoint(name), revision: endpoint.revision },',
    replace: '      { key: KEYS.endpoint(name), revision: endpoint.revision },',
  },
  {
    name: 'commit-whatever-the-endpoint-became',
    seed: 5,
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
    name: 'remove-what-has-no-record',
    seed: 7,
    file: agent('instances'),
    find: '      orphans.add(id);',
    replace: '      orphans.add(id);\n      void engine.remove(id, 1000).catch(() => undefined);',
  },
  {
    name: 'remove-while-draining',
    seed: 1,
    file: agent('instances'),
    find: "    if (record.phase === 'remove') {\n      if (container",
    replace: "    if (record.phase !== 'run') {\n      if (container",
  },
  {
    name: 'gone-while-starting',
    seed: 79,
    file: agent('instance-report'),
    find: "  if (task === 'pulling' || task === 'starting') return report(record, task, UNREADY, nothing);\n  if (record.phase === 'remove') return report(record, 'gone', { ...before, error: null }, nothing);",
    replace:
      "  if (record.phase === 'remove') return report(record, 'gone', { ...before, error: null }, nothing);\n  if (task === 'pulling' || task === 'starting') return report(record, task, UNREADY, nothing);",
  },
  {
    name: 'wait-for-ever-for-half-a-start',
    file: agent('instance-report'),
    find: "    if (evidence.startFailure !== null) return report(record, 'exited', { ...UNREADY, error: evidence.startFailure }, said);\n",
    replace: '',
  },
  {
    name: 'lease-not-kept-after-a-clock-step',
    file: agent('advertisement'),
    find: 'lease !== null && sinceMs >= 0 && sinceMs < KEEP_EVERY_MS',
    replace: 'lease !== null && sinceMs < KEEP_EVERY_MS',
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
    name: 'remember-health-of-another-container',
    file: agent('instance-report'),
    find: '  if (known === null || known.containerId !== container.id || known.startedAtMs !== container.startedAtMs) return UNREADY;',
    replace: '  if (known === null) return UNREADY;',
  },
  {
    name: 'say-taken-out-before-it-is',
    seed: 4,
    file: agent('balancing'),
    find: '    const setAside = await apply(services);',
    replace: '    const setAside = {};\n    void apply(services);',
  },
  {
    name: 'say-taken-out-although-refused',
    file: agent('balancing'),
    find: '      problem = text;\n      return null;',
    replace: '      problem = text;\n      return {};',
  },
  {
    name: 'serve-what-drains',
    file: agent('services'),
    find: "  const meant = instances.filter((instance) => instance.phase === 'run');",
    replace: "  const meant = instances.filter((instance) => instance.phase !== 'remove');",
  },
  {
    name: 'drain-without-asking-the-balancers',
    file: core('retire'),
    find: '  if (facts.holdout !== null) return',
    replace: '  if (facts.holdout === undefined) return',
  },
  {
    name: 'ask-one-balancer-only',
    file: core('retire'),
    find: '  for (const host of [...cluster.hosts.keys()].sort()) {',
    replace: '  for (const host of [...cluster.hosts.keys()].sort().slice(0, 1)) {',
  },
  {
    name: 'believe-an-older-acknowledgement',
    file: core('retire'),
    find: '    if (balancer.revision < instance.revision || balancer.serving.includes(instance.record.id)) return host;',
    replace: '    if (balancer.serving.length > 99) return host;',
  },
  {
    name: 'count-draining-as-free',
    file: core('ledger'),
    find: 'if (occupies(instance.value, cluster)) add(instance.value);',
    replace: "if (occupies(instance.value, cluster) && instance.value.phase === 'run') add(instance.value);",
  },
  {
    name: 'give-slots-out-twice',
    file: core('plan-endpoint'),
    find: '  draft.ledger.add(record);\n',
    replace: '',
  },
  {
    name: 'forget-before-it-is-gone',
    file: core('plan-endpoint'),
    find: "    const gone = record.phase === 'remove' && view.report?.state === 'gone';",
    replace: "    const gone = record.phase === 'remove';",
  },
  {
    name: 'ignore-paused',
    file: core('plan-endpoint'),
    find: "  if (input.endpoint.state !== 'PAUSED') {",
    replace: "  if (input.endpoint.state !== 'REMOVED' || input.seats >= 0) {",
  },
  {
    name: 'ignore-the-uid',
    file: core('plan'),
    find: '  const own = views.filter((view) => view.record.endpointUid === endpoint.value.uid);',
    replace: '  const own = views;',
  },
  {
    name: 'two-successors-for-one-seat',
    file: core('plan-endpoint'),
    find: '    if (!handedOver && !start(',
    replace: '    if (!start(',
  },
  {
    name: 'replace-before-the-successor-is-ready',
    file: core('plan-endpoint'),
    find: "    if (successor.status !== 'ready') continue;\n",
    replace: '',
  },
  {
    name: 'successor-above-max',
    file: core('plan-endpoint'),
    find: '  return own.filter((view) => meantToRun(view) && !superseded.has(view.record.id)).length;',
    replace:
      "  return own.filter((view) => meantToRun(view) && view.status === 'ready' && !superseded.has(view.record.id)).length;",
  },
  {
    name: 'missing-is-zero',
    file: core('traffic-window'),
    find: '  const partial = sums.reported < expectedSources || sums.incomplete;',
    replace: '  const partial = false;',
  },
  {
    name: 'below-min',
    file: core('decision'),
    find: '  const delayed = Math.min(Math.max(largest, wanted), scaling.maxInstances);',
    replace: '  const delayed = Math.min(Math.max(largest, wanted) - (wanted < 2 ? 1 : 0), scaling.maxInstances);',
  },
  {
    name: 'above-max',
    file: core('decision'),
    find: '  const delayed = Math.min(Math.max(largest, wanted), scaling.maxInstances);',
    replace: '  const delayed = Math.max(largest, wanted) + 1;',
  },
  {
    name: 'lost-is-dead',
    file: core('plan-endpoint'),
    find: '  if (lostMs < draft.resolved.config.unknownTimeoutMs) return null;\n',
    replace: '',
    also: [{ find: "    if (view.status === 'unknown' && seat === view.record.id) continue;\n", replace: '' }],
  },
  {
    name: 'keep-a-lost-seat-for-ever',
    file: core('plan-endpoint'),
    find: "  if (view.status !== 'unknown') return null;",
    replace: "  if (view.status !== 'unknown' || draft.nowMs > 0) return null;",
  },
  {
    name: 'never-look-again',
    file: agent('agent'),
    find: 'const LIST_EVERY_MS = 5_000;',
    replace: 'const LIST_EVERY_MS = 5_000_000;',
  },
  {
    name: 'no-second-try-of-a-removal',
    file: agent('instances'),
    find: '      one.retryAtMs = clock.now() + TASK_RETRY_MS;',
    replace: '      one.retryAtMs = clock.now() + TASK_RETRY_MS * 1_000_000;',
  },
];
