import { adviseRules, type ConfigDocument, type EndpointConfig, type Finding, ReactorError, type Room } from '@reactor/core';
import { getValue, type Places, spotIn, type Warning } from './document.js';
import { resolveEndpoint } from './endpoint.js';
import { ENDPOINT_KEYS as KEY } from './endpoint-schema.js';
import type { ReadResult } from './reader.js';
import type { SchemaKey } from './schema-key.js';

/** What is wrong, or hardly meant, in the configuration of an endpoint: everything at once, and nothing is refused. */

/** What is known of the cluster; null is what nobody was asked. */
export interface Circumstances {
  /** Metrics that programs posted about the endpoint lately. */
  readonly reported: ReadonlySet<string> | null;
  readonly room: ((config: EndpointConfig) => Room | null) | null;
}

export const NOTHING_KNOWN: Circumstances = { reported: null, room: null };

/** Everything there is to say; what cannot be read or used has one mistake, the first. */
export function lint(read: () => ReadResult, known: Circumstances = NOTHING_KNOWN): readonly Finding[] {
  const warnings: Warning[] = [];
  try {
    const given = read();
    warnings.push(...given.warnings);
    const resolved = resolveEndpoint(given.document, given.places);
    warnings.push(...resolved.warnings);
    return [...warnings.map(ofWarning), ...advise(resolved.config, given, known)];
  } catch (error) {
    if (!(error instanceof ReactorError) || !error.code.startsWith('config_')) throw error;
    return [...warnings.map(ofWarning), ofError(error)];
  }
}

/** A configuration to be stored, with what to warn its operator of. Fails with `config_*` as `resolveEndpoint` does. */
export function vet(
  read: ReadResult,
  known: Circumstances,
): { readonly config: EndpointConfig; readonly warnings: readonly string[] } {
  const { config, warnings } = resolveEndpoint(read.document, read.places);
  const findings = advise(config, read, known).filter(({ severity }) => severity !== 'advice');
  return { config, warnings: [...[...read.warnings, ...warnings].map(({ message }) => message), ...findings.map(tell)] };
}

/** What the keys of a valid configuration mean together. */
function advise(config: EndpointConfig, { document, places }: ReadResult, known: Circumstances): readonly Finding[] {
  const lineOf = (key: SchemaKey): number | null => places.values.get(key.section)?.get(key.key)?.line ?? null;
  const { loadBalancer, metricsSource, scaling, shadowRules } = config;
  const sources = { loadBalancer, metricsSource, reported: known.reported };
  const candidates = [
    { rules: scaling.rules, at: KEY.rules },
    { rules: shadowRules, at: KEY.shadowRules },
  ];
  return [
    ...candidates.flatMap(({ rules, at }) =>
      adviseRules({ ...scaling, rules }, sources).map(({ rule, ...advice }) => ({
        ...advice,
        section: at.section,
        key: at.key,
        line: rule === null ? lineOf(at) : lineOfRule(at, rule, document, places),
      })),
    ),
    ...adviseRoom(config, known).map(({ key, ...advice }) => ({
      ...advice,
      section: key.section,
      key: key.key,
      line: lineOf(key),
    })),
  ];
}

/** Rules may stand on a line each. */
function lineOfRule({ section, key }: SchemaKey, rule: number, document: ConfigDocument, places: Places): number | null {
  const place = places.values.get(section)?.get(key);
  if (place === undefined) return null;
  const items = (getValue(document, section, key) ?? '').split(',');
  const before = items.slice(0, rule).reduce((sum, item) => sum + item.length + 1, 0);
  const blank = items[rule]?.search(/\S/) ?? 0;
  return spotIn(place, before + blank + 1)?.line ?? place.line;
}

type Advice = Pick<Finding, 'code' | 'severity' | 'text' | 'suggestion'> & { readonly key: SchemaKey };

function adviseRoom(config: EndpointConfig, { room: ask }: Circumstances): readonly Advice[] {
  const room = ask === null ? null : ask(config);
  // Without a host there is nothing to compare with: they may be on their way.
  if (room === null || room.hosts === 0) return [];
  const { minInstances: min, maxInstances: max, rules } = config.scaling;
  const { instances } = room;
  const hold = `the hosts can hold ${instances} of it`;
  const suggestion = 'add hosts, or ask for less of each: see reactor place ENDPOINT --dry-run';
  if (min > instances) {
    return [
      {
        code: 'min_above_room',
        severity: 'error',
        key: KEY.minInstances,
        text: `min_instances is ${min}, and ${hold}.`,
        suggestion,
      },
    ];
  }
  if (max > instances) {
    const text = `max_instances is ${max}, and ${hold}: there it stops growing, whatever the load.`;
    return [{ code: 'max_above_room', severity: 'warning', key: KEY.maxInstances, text, suggestion }];
  }
  if (rules.length === 0 || instances <= max) return [];
  const text = `max_instances stops it at ${max}, and the hosts have room for more.`;
  return [
    {
      code: 'max_below_room',
      severity: 'advice',
      key: KEY.maxInstances,
      text,
      suggestion: 'raise it, if the load may need more',
    },
  ];
}

const ofWarning = ({ section, key, line, text }: Warning): Finding => ({
  code: 'config',
  severity: 'warning',
  section,
  key,
  line,
  text,
  suggestion: null,
});

function ofError({ code, message, details }: ReactorError): Finding {
  const word = (name: string): string | null => (typeof details[name] === 'string' ? details[name] : null);
  const line = typeof details['line'] === 'number' ? details['line'] : null;
  return { code, severity: 'error', section: word('section'), key: word('key'), line, text: message, suggestion: null };
}

/** In one line, as warnings are told: where, what, and what to do. */
function tell({ section, key, line, text, suggestion }: Finding): string {
  const place = `${section}.${key}${line === null ? '' : ` (line ${line})`}`;
  return `${place}: ${text}${suggestion === null ? '' : ` (${suggestion})`}`;
}
