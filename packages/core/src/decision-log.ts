import { createHash } from 'node:crypto';
import { replay } from './decision.js';
import type { Measurement, MetricReading } from './decision-input.js';
import type { DecisionRecord } from './decision-record.js';
import type { PlacementReport } from './placement-verdicts.js';
import type { DecisionReport } from './plan.js';
import type { LogEntry } from './ports.js';
import { type MetricKind, parseRule } from './rule.js';
import type { ShadowReport } from './shadow.js';
import type { Step } from './step.js';

/**
 * Decisions that changed something, as they are kept: the inputs, from which the record is made again, a digest of the
 * record as it was made then, and what came of it. The last 10,000 of a cluster are kept: in Redis usually some 20 MB, and
 * 46 if each were as long as the limit allows.
 */
const PACKED_MAX_BYTES = 4_000;
/** Of a round that starts or retires many at once the first ones will do. */
const STEPS_MAX = 10;
const SENTENCE_MAX = 1_000;

/** A decision as it is told from the log. */
export interface KeptDecision {
  /** Of the log; grows with every decision of the cluster. */
  readonly seq: number;
  readonly atMs: number;
  readonly endpoint: string;
  readonly sentence: string;
  readonly instances: number;
  readonly target: number;
  /** Null when its inputs were too long to be kept, or hold rules of another version that are none here. */
  readonly report: DecisionReport | null;
  /** Steps beyond those of the report. */
  readonly moreSteps: number;
  /** Deciding again on the inputs gave the same bytes; null without inputs. */
  readonly reproduced: boolean | null;
}

type PackedReading = readonly [kind: MetricKind, value: number, ageMs: number, reported: number, expected: number];
type PackedMeasurement = Omit<Measurement, 'metrics'> & { readonly metrics: Readonly<Record<string, PackedReading>> };

interface Packed {
  readonly sentence: string;
  readonly n: number;
  readonly target: number;
  readonly digest?: string;
  readonly given?: Given;
  readonly steps?: readonly Step[];
  readonly ready?: number;
  readonly moreSteps?: number;
  readonly placement?: PlacementReport;
  readonly shadow?: ShadowReport;
}

interface Given {
  readonly epoch: number;
  readonly state: DecisionRecord['state'];
  readonly scaling: DecisionRecord['scaling'];
  readonly inputs: Omit<DecisionRecord['inputs'], 'stable' | 'burst'> & {
    readonly stable: PackedMeasurement;
    readonly burst: PackedMeasurement;
  };
}

/** An entry of the decision log; its event is the endpoint's name. */
export function packDecision(report: DecisionReport): Omit<LogEntry, 'seq'> {
  const { record, steps, ready, placement = null, shadow } = report;
  const brief = { sentence: record.sentence.slice(0, SENTENCE_MAX), n: record.instances, target: record.target };
  const digest = digestOf(record);
  const given: Given = {
    epoch: record.epoch,
    state: record.state,
    scaling: record.scaling,
    inputs: { ...record.inputs, stable: packed(record.inputs.stable), burst: packed(record.inputs.burst) },
  };
  const few = steps.slice(0, STEPS_MAX);
  const more = steps.length - few.length;
  const bare = { ...brief, digest, given, ...(ready === undefined ? {} : { ready }) };
  const told = { ...bare, steps: few, ...(more > 0 ? { moreSteps: more } : {}), ...(shadow === undefined ? {} : { shadow }) };
  const forms: readonly Packed[] = [
    ...(placement === null ? [] : [{ ...told, placement }]),
    told,
    { ...bare, moreSteps: steps.length },
    { ...brief, moreSteps: steps.length },
  ];
  const texts = forms.map((form) => JSON.stringify(form));
  const message = texts.find((text) => storedBytes(text) <= PACKED_MAX_BYTES) ?? texts.at(-1)!;
  return { atMs: report.atMs, level: 'info', event: record.endpoint, message };
}

/** A log holds its messages as JSON strings, in UTF-8. */
const storedBytes = (text: string): number => new TextEncoder().encode(JSON.stringify(text)).length;

export function unpackDecision({ seq, atMs, event: endpoint, message }: LogEntry): KeptDecision {
  const { sentence, n: instances, target, digest, given, steps = [], moreSteps = 0, ...beside } = JSON.parse(message) as Packed;
  const told = { seq, atMs, endpoint, sentence, instances, target, moreSteps };
  if (given === undefined) return { ...told, report: null, reproduced: null };
  const { epoch, state, scaling } = given;
  if (!scaling.rules.every((text) => parseRule(text).ok)) return { ...told, report: null, reproduced: false };
  const inputs = { ...given.inputs, stable: unpacked(given.inputs.stable), burst: unpacked(given.inputs.burst) };
  const record = replay({ endpoint, atMs, epoch, state, instances, scaling, inputs });
  return { ...told, report: { atMs, record, steps, ...beside }, reproduced: digestOf(record) === digest };
}

/** Half of a SHA-256 is far more than chance can hit. */
const digestOf = (record: DecisionRecord): string =>
  createHash('sha256').update(JSON.stringify(record)).digest('hex').slice(0, 32);

/** The order of its members stays, for it is part of the bytes. */
const packed = (measurement: Measurement): PackedMeasurement => ({
  ...measurement,
  metrics: mapped(measurement.metrics, ({ kind, value, ageMs, sources }) => [
    kind,
    value,
    ageMs,
    sources.reported,
    sources.expected,
  ]),
});

const unpacked = (measurement: PackedMeasurement): Measurement => ({
  ...measurement,
  metrics: mapped(
    measurement.metrics,
    ([kind, value, ageMs, reported, expected]): MetricReading => ({ kind, value, ageMs, sources: { reported, expected } }),
  ),
});

const mapped = <From, To>(values: Readonly<Record<string, From>>, change: (value: From) => To): Readonly<Record<string, To>> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(value)]));
