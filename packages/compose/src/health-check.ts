import type { Draft } from './draft.js';
import { durationMs, isMap, scalar, words } from './value.js';
import type { Yaml } from './yaml-text.js';

/** Compose runs a check within the container; here the host asks from outside. A check that asks a URL says which one. */

const OWN_URL = /https?:\/\/(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d+))?(\/[A-Za-z0-9._~!*()+,=:@&/%?-]*)?/;
/** Reactor gives a new instance this long by itself. */
const START_MS = 60_000;

const EXPECTED = 'expected a duration such as 1m30s';

export function readHealthCheck(value: Yaml, port: number | null, draft: Draft): void {
  if (!isMap(value)) {
    draft.mistake('healthcheck', 'expected a map');
    return;
  }
  if (scalar(value.get('disable')) === 'true') return;
  for (const [key, part] of value) {
    const name = `healthcheck.${key}`;
    if (key === 'test') readTest(words(part)?.join(' ') ?? '', port, draft);
    else if (key === 'interval') setDuration(name, part, 'health_interval', draft);
    else if (key === 'timeout') setDuration(name, part, 'health_timeout', draft);
    else if (key === 'retries') draft.set('endpoint', 'error_marks', scalar(part) ?? '');
    else if (key === 'start_period') readStartPeriod(part, draft);
    else if (key === 'start_interval') draft.note(name, 'a starting instance is asked again and again until it answers');
    else if (key !== 'disable' && !key.startsWith('x-')) draft.note(name, 'not known, left out');
  }
}

function readTest(test: string, port: number | null, draft: Draft): void {
  if (test === 'NONE') return;
  const [found, at = '80', path = '/'] = OWN_URL.exec(test) ?? [];
  if (found !== undefined && Number(at) === port) draft.set('endpoint', 'health_check', path);
  else if (port !== null) {
    draft.note('healthcheck.test', 'not run in the container: the connection is checked; a path with x-reactor: health_check');
  } else draft.note('healthcheck.test', 'not run: without a port there is nothing to check but that it runs');
}

function setDuration(name: string, value: Yaml, key: string, draft: Draft): void {
  const ms = durationMs(scalar(value) ?? '');
  if (ms === null) draft.mistake(name, EXPECTED);
  else draft.set('endpoint', key, seconds(ms));
}

function readStartPeriod(value: Yaml, draft: Draft): void {
  const ms = durationMs(scalar(value) ?? '');
  if (ms === null) draft.mistake('healthcheck.start_period', EXPECTED);
  else if (ms > START_MS) draft.set('endpoint', 'unregistered_timeout', seconds(ms));
}

export function readStopGrace(value: Yaml, draft: Draft): void {
  const ms = durationMs(scalar(value) ?? '');
  if (ms === null) draft.mistake('stop_grace_period', EXPECTED);
  else draft.set('endpoint', 'stop_timeout', seconds(ms));
}

const seconds = (ms: number): string => (ms % 1000 === 0 ? String(ms / 1000) : `${ms}ms`);
