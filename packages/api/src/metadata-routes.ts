import { type Json, KEYS, type MetadataRecord, ReactorError } from '@reactor/core';
import type { ApiContext } from './context.js';
import { ANY } from './json-schema.js';
import { type LiveEndpoint, liveEndpoint } from './names.js';
import { quoted } from './offending-value.js';
import { readJson } from './request-form.js';
import { ENDPOINT_OF_PATH, json, type Reply, type Route, type RouteRequest, route } from './route.js';
import { shape } from './shapes.js';

/** What the operator noted about an endpoint: any JSON value under a key. Reactor makes nothing of it. */
export const METADATA_ROUTES: readonly Route[] = [
  route('GET', '/endpoints/:endpoint/metadata', listKeys, {
    summary: 'Keys of what is noted about it',
    gives: shape('Names'),
    keeper: ENDPOINT_OF_PATH,
  }),
  route('GET', '/endpoints/:endpoint/metadata/:key', showValue, {
    summary: 'What is noted under the key; null when nothing is',
    gives: ANY,
    keeper: ENDPOINT_OF_PATH,
  }),
  route(['POST', 'PUT'], '/endpoints/:endpoint/metadata/:key', putValue, {
    summary: 'Note any JSON value under the key',
    takes: ANY,
    keeper: ENDPOINT_OF_PATH,
  }),
  route('DELETE', '/endpoints/:endpoint/metadata/:key', deleteValue, {
    summary: 'Forget what is noted under the key',
    keeper: ENDPOINT_OF_PATH,
  }),
];

/** Every daemon holds all of it in memory, so it is for notes and not for files. */
const TOTAL_LIMIT = 65_536;
const KEYS_LIMIT = 64;
const KEY_LENGTH = 128;
/** Deeper than anybody writes by hand, and far from what a stack takes. */
const DEPTH_LIMIT = 32;
/** Members of every object: a reader elsewhere would stumble on them. */
const RESERVED = ['__proto__', 'constructor', 'prototype'];
/** Each attempt that fails means another one's success. */
const ATTEMPTS = 20;

async function listKeys(request: RouteRequest, context: ApiContext): Promise<Reply> {
  return json(Object.keys(valuesOf(await liveEndpoint(request, context))).sort());
}

/** As in 2013, what is not there is `null`. */
async function showValue(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const key = keyOf(request);
  const values = valuesOf(await liveEndpoint(request, context));
  return json(Object.hasOwn(values, key) ? values[key] : null);
}

async function putValue(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const key = keyOf(request);
  const value = readJson(request.body) as Json;
  if (isDeeper(value, DEPTH_LIMIT)) throw new ReactorError('request_invalid', `nesting deeper than ${DEPTH_LIMIT}`);
  await change(request, context, (values) => ({ ...values, [key]: value }));
  return json({});
}

async function deleteValue(request: RouteRequest, context: ApiContext): Promise<Reply> {
  const key = keyOf(request);
  await change(request, context, (values) => Object.fromEntries(Object.entries(values).filter(([other]) => other !== key)));
  return json({});
}

type Values = MetadataRecord['values'];

function valuesOf({ cluster, endpoint }: LiveEndpoint): Values {
  const record = cluster.metadata.get(endpoint.value.name)?.value;
  return record?.uid === endpoint.value.uid ? record.values : {};
}

async function change(request: RouteRequest, context: ApiContext, next: (values: Values) => Values): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const live = await liveEndpoint(request, context);
    const { uid } = live.endpoint.value;
    const values = next(valuesOf(live));
    checkSize(values);
    const key = KEYS.metadataOf(live.name);
    const stored = live.cluster.metadata.get(live.name);
    const empty = Object.keys(values).length === 0;
    const same = stored === undefined ? empty : JSON.stringify(stored.value) === JSON.stringify({ uid, values });
    if (same) return;
    const result = await context.store.commit({
      // The endpoint as it is, too: what is noted about one that is being removed would stay behind.
      expect: [
        { key, revision: stored?.revision ?? 0 },
        { key: KEYS.endpoint(live.name), revision: live.endpoint.revision },
      ],
      write: [{ key, value: empty ? null : { uid, values } }],
    });
    if (result.kind === 'committed') return;
  }
  throw new ReactorError('conflict', 'the metadata are being changed by others; try again');
}

function checkSize(values: Values): void {
  if (Object.keys(values).length > KEYS_LIMIT) throw new ReactorError('too_large', `more than ${KEYS_LIMIT} keys of metadata`);
  const bytes = Buffer.byteLength(JSON.stringify(values));
  if (bytes > TOTAL_LIMIT) {
    throw new ReactorError('too_large', `the metadata of an endpoint exceed ${TOTAL_LIMIT} bytes`, {
      details: { limitBytes: TOTAL_LIMIT },
    });
  }
}

function keyOf(request: RouteRequest): string {
  const key = request.params['key'] ?? '';
  if (key.length <= KEY_LENGTH && !RESERVED.includes(key)) return key;
  throw new ReactorError('request_invalid', `metadata key ${quoted(key)}: expected up to ${KEY_LENGTH} characters, not reserved`);
}

function isDeeper(value: Json, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeper(member as Json, levels - 1));
}
