import { ERRORS } from '@reactor/core';
import {
  ANY,
  COUNT,
  FLAG,
  list,
  MS,
  map,
  NUMBER,
  open,
  orNull,
  record,
  type Shape,
  TEXT,
  textOf,
  tuple,
  word,
} from './json-schema.js';

/** What requests and replies hold, by name. Times are wall-clock milliseconds unless a name says otherwise. */

const REVISION = { ...COUNT, description: 'For If-Match' };
const WARNINGS = list(TEXT);
const ENDPOINT_STATE = word('RUNNING', 'STOPPED', 'PAUSED');
const INSTANCE_STATE = word(
  ...['starting', 'ready', 'dropped', 'unhealthy', 'dead', 'unknown', 'draining', 'errored', 'stopping'],
);
const HOST_STATE = word('ready', 'draining', 'lost', 'removing');
const LABELS = map(TEXT);
const RANGE = tuple(NUMBER, orNull(NUMBER));
const SHADOW = record({ rules: list(TEXT), instances: COUNT, target: COUNT });
const HOLD = record({ count: COUNT, untilMs: orNull(MS) });

const HOST = {
  id: TEXT,
  name: TEXT,
  address: TEXT,
  apiUrl: orNull(TEXT),
  slots: NUMBER,
  cpus: NUMBER,
  memoryBytes: NUMBER,
  overcommit: NUMBER,
  labels: LABELS,
  dockerVersion: orNull(TEXT),
  dockerError: { ...orNull(TEXT), description: 'Null while Docker answers' },
  startedAtMs: MS,
  version: TEXT,
  epochSeen: orNull(record({ epoch: COUNT, host: TEXT })),
  state: HOST_STATE,
  leader: FLAG,
  usedSlots: NUMBER,
  usedCpus: NUMBER,
  usedMemoryBytes: NUMBER,
  instances: COUNT,
  heartbeatMs: orNull(MS),
};
/** What a daemon before it said so leaves out. */
const OLDER_HOST = { balancers: list(TEXT) };

const RULE = record({ text: TEXT, metric: TEXT, kind: TEXT, value: orNull(NUMBER), range: orNull(RANGE) });

const SCHEMA_KEY = {
  section: TEXT,
  key: TEXT,
  type: { ...TEXT, description: 'What it accepts, in words' },
  default: TEXT,
  description: TEXT,
  words: { ...list(TEXT), description: 'The values it takes, where there is a list of them' },
  lines: { ...FLAG, description: 'Whether the value may span lines' },
  secret: FLAG,
};

const VERDICTS = {
  host: { ...orNull(TEXT), description: 'Null when every host refuses' },
  reason: TEXT,
  hosts: list(record({ host: TEXT, verdict: word('chosen', 'fits', 'refused'), filter: orNull(TEXT), reason: TEXT })),
  more: map(COUNT),
};

/** Why so many: one decision, and all it was made from. */
const DECISION = record({
  endpoint: TEXT,
  atMs: MS,
  epoch: COUNT,
  state: TEXT,
  instances: COUNT,
  inputs: open({}),
  scaling: open({ minInstances: COUNT, maxInstances: COUNT, rules: list(TEXT) }),
  rules: list(RULE),
  burst: orNull(record({ need: COUNT, rules: list(RULE) })),
  ranges: record({ rules: RANGE, bounds: RANGE, delay: NUMBER, ramp: NUMBER, missing: NUMBER }),
  recommended: COUNT,
  target: COUNT,
  step: { type: 'integer' },
  reasons: list(TEXT),
  kinds: list(TEXT),
  sentence: TEXT,
});

const DECIDED = { atMs: MS, record: DECISION, steps: list(open({ kind: TEXT })) };

/** The same taken apart. */
const EXPLANATION = record({
  rules: list(open({ text: TEXT, metric: TEXT, value: orNull(NUMBER), range: orNull(RANGE), ageMs: orNull(MS) })),
  limits: list(record({ limit: TEXT, before: orNull(RANGE), after: RANGE })),
  whyNotMore: TEXT,
  whyNotFewer: TEXT,
  nearest: list(
    record({ metric: TEXT, direction: word('up', 'down'), value: NUMBER, each: orNull(NUMBER), target: COUNT, text: TEXT }),
  ),
});

export const SHAPES = {
  Nothing: record({}),
  Error: record({
    error: record({
      code: word(...Object.keys(ERRORS), 'internal'),
      message: TEXT,
      details: map({ type: ['string', 'number', 'null'] }),
    }),
  }),

  Version: record({ version: TEXT, reactor: TEXT }),
  Health: record({ ok: FLAG, problems: list(TEXT) }),
  Info: record({
    active: { ...COUNT, description: 'Open connections over all endpoints' },
    instances: { ...COUNT, description: 'Those that requests go to' },
    managers: COUNT,
    endpoints: map(COUNT),
    cluster: TEXT,
    leader: orNull(TEXT),
    brake: { ...orNull(TEXT), description: 'Why nothing is replaced or retired now' },
    version: TEXT,
    hosts: list(record(HOST, OLDER_HOST)),
  }),
  Url: record({ url: orNull(TEXT) }),
  Key: record({ auth_key: orNull(TEXT) }),
  Domain: record({ domain: { type: 'null' } }),
  Login: record({ keyNeeded: FLAG, loggedIn: FLAG }),
  LoginKey: record({ auth_key: TEXT }),
  Schema: record({ keys: list(record(SCHEMA_KEY)) }),

  Host: record({ ...HOST, images: list(open({ id: TEXT })), containers: list(open({ id: TEXT })) }, OLDER_HOST),
  HostAction: record({ action: word('drain', 'activate') }),
  HostChange: record({ host: TEXT, state: orNull(HOST_STATE), instances: COUNT, warnings: WARNINGS }),
  Manager: record({ name: TEXT, keys: list(TEXT), loadbalancers: list(TEXT), clouds: list(TEXT), leader: FLAG }),

  Names: list(TEXT),
  Configuration: { ...map(map(TEXT)), description: 'Section, key, value' },
  Written: record({ warnings: WARNINGS, revision: REVISION }),
  Findings: record({
    findings: list(
      record({
        code: TEXT,
        severity: word('error', 'warning', 'advice'),
        section: orNull(TEXT),
        key: orNull(TEXT),
        line: { ...orNull(COUNT), description: 'From 1; null where the text is not known' },
        text: TEXT,
        suggestion: orNull(TEXT),
      }),
    ),
  }),
  KeyChange: record({ section: TEXT, key: TEXT, value: { ...orNull(TEXT), description: 'Null unsets the key' } }),
  NamesWritten: record({ names: list(TEXT), warnings: WARNINGS, revision: REVISION }),
  RevisionWritten: record({ revision: REVISION }),
  EndpointRow: record({
    name: TEXT,
    state: ENDPOINT_STATE,
    url: orNull(TEXT),
    instances: COUNT,
    ready: COUNT,
    target: orNull(COUNT),
    revision: REVISION,
    changedAtMs: MS,
  }),
  EndpointAction: record({ action: { ...TEXT, description: 'start, stop or pause' } }),
  EndpointStatus: record({
    state: ENDPOINT_STATE,
    active: { ...list(TEXT), description: 'Backends requests go to, as ip:port' },
    manager: { ...orNull(TEXT), description: 'The host whose daemon leads' },
    target: orNull(COUNT),
    hold: orNull(HOLD),
    shadow: { ...orNull(SHADOW), description: 'What the candidate in shadow_rules would do' },
    instances: map(COUNT),
    setAside: { ...map(TEXT), description: 'Why its configuration is not served, by host' },
  }),
  StateWritten: record({ state: ENDPOINT_STATE, revision: REVISION }),
  HoldAsked: record({ count: COUNT, forMs: { ...orNull(MS), description: 'Null holds until it is handed back' } }),
  HoldWritten: record({ hold: orNull(HOLD), warnings: WARNINGS, revision: REVISION }),

  InstanceLists: record({ active: list(TEXT), decommissioned: list(TEXT), errored: list(TEXT), discarded: list(TEXT) }),
  InstanceRow: record({
    id: TEXT,
    endpoint: TEXT,
    host: TEXT,
    state: INSTANCE_STATE,
    phase: word('run', 'drain', 'remove'),
    address: orNull(TEXT),
    createdAtMs: MS,
    readyAtMs: orNull(MS),
    active: { ...orNull(COUNT), description: 'Open connections' },
    slots: COUNT,
    error: orNull(TEXT),
  }),
  InstanceWished: record({ instance: TEXT, endpoint: TEXT, state: INSTANCE_STATE }),
  Placement: record({ endpoint: TEXT, strategy: word('spread', 'binpack', 'random'), ...VERDICTS }),
  Explained: record({ ...DECIDED, explanation: EXPLANATION }, { seq: COUNT, moreSteps: COUNT, reproduced: FLAG }),
  Decisions: record({
    decisions: list(
      record({
        seq: COUNT,
        atMs: MS,
        endpoint: TEXT,
        sentence: TEXT,
        instances: COUNT,
        target: COUNT,
        report: { ...orNull(record(DECIDED)), description: 'Null when its inputs were too long to be kept' },
        moreSteps: { ...COUNT, description: 'Steps that are not told' },
        reproduced: { ...orNull(FLAG), description: 'Deciding again on its inputs gave the same bytes' },
      }),
    ),
  }),
  Decision: record(DECIDED, { placement: record({ atMs: MS, ...VERDICTS }), shadow: open({ rules: list(TEXT), target: COUNT }) }),
  History: record({
    stepMs: MS,
    points: list(
      record({
        atMs: MS,
        state: TEXT,
        metrics: { ...map(orNull(NUMBER)), description: 'Loads of each instance; null where a rule had no data' },
        instances: COUNT,
        ready: COUNT,
        target: COUNT,
        shadowTarget: orNull(COUNT),
      }),
    ),
  }),
  Recording: open({ form: COUNT, endpoint: TEXT, rounds: COUNT, atMs: MS }),
  Reading: record({ rules: list(TEXT), min: COUNT, max: COUNT, instances: COUNT, metrics: map(map(NUMBER)) }),
  Evaluation: record({ range: RANGE, target: COUNT, reasons: list(TEXT) }),

  Averages: map(NUMBER),
  Metrics: { ...map(ANY), description: 'By name a number, or [weight, value]' },
  MetricsWritten: record({ backend: orNull(TEXT), countsForMs: MS }),
  Session: record({ endpoint: TEXT, client: TEXT, backend: TEXT, instance: TEXT, sinceMs: MS, host: TEXT }),
  SessionEnded: record({ client: TEXT, hosts: list(TEXT) }),

  LogRow: {
    ...tuple(NUMBER, word('INFO', 'WARNING', 'ERROR'), TEXT, COUNT, TEXT),
    description: '[seconds, severity, text, number, event]',
  },
  OutputRow: {
    ...tuple(NUMBER, TEXT, word('stdout', 'stderr', 'note'), TEXT, TEXT),
    description: '[seconds, instance, stream, text, host]',
  },
} as const satisfies Readonly<Record<string, Shape>>;

export const shape = (name: keyof typeof SHAPES): Shape => ({ $ref: `#/components/schemas/${name}` });

export const INI = textOf('text/plain');
/** A configuration as it is sent: a JSON object, a JSON string that holds INI, or INI. */
export const CONFIGURATION: readonly Shape[] = [
  { anyOf: [shape('Configuration'), TEXT] },
  INI,
  ...['application/x-ini', 'text/ini', 'text/x-ini'].map(textOf),
];
