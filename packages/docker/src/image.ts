/**
 * Images: here already, or pulled.
 *
 * 1. A local image is enough: no registry is asked about it, so that a start never depends on one.
 * 2. One pull at a time per image; whoever asks meanwhile shares it, and it is given up when nobody waits any longer.
 * 3. A pull ends: by silence, by its total time, or by a failure told inside a stream that began with status 200.
 */
import { ReactorError } from '@reactor/core';
import type { Connection } from './connection.js';
import { plainWords, refusal } from './failure.js';
import type { Limits } from './limits.js';
import { jsonLines } from './lines.js';
import { at, text, whole } from './loose-json.js';

type Progress = (line: string) => void;

/** 12 to 64 hex digits, with or without the prefix: an image id as `docker images` prints it. No registry knows ids. */
const IMAGE_ID = /^(sha256:)?[0-9a-f]{12,64}$/;

/** An image has at most 127 layers; a stream that names more is not tracked further. */
const MAX_LAYERS = 256;

interface SharedPull {
  readonly done: Promise<void>;
  readonly listeners: Set<Progress>;
  readonly stop: AbortController;
}

export function createImages(connection: Connection, limits: Limits) {
  const pulls = new Map<string, SharedPull>();

  async function isHere(image: string, signal: AbortSignal): Promise<boolean> {
    const path = `/images/${encodeURIComponent(image)}/json`;
    const answer = await connection.call({ method: 'GET', path, deadlineMs: limits.readMs, signal });
    if (answer.status >= 400 && answer.status !== 404) throw refusal(answer, `look for image ${image}`);
    return answer.status < 400;
  }

  function begin(image: string): SharedPull {
    const listeners = new Set<Progress>();
    const stop = new AbortController();
    const say = (line: string) => {
      for (const listener of listeners) listener(line);
    };
    // A turn later, so that whoever began it hears its first line.
    const done = Promise.resolve()
      .then(() => pull(connection, limits, image, say, stop))
      .then(async () => {
        if (!(await isHere(image, stop.signal))) throw unavailable(image, 'the pull ended without an image');
      })
      .finally(() => {
        if (pulls.get(image)?.stop === stop) pulls.delete(image);
      });
    done.catch(() => undefined);
    const shared = { done, listeners, stop };
    pulls.set(image, shared);
    return shared;
  }

  return {
    async prepare(image: string, progress: Progress, signal: AbortSignal): Promise<void> {
      signal.throwIfAborted();
      if (await isHere(image, signal)) return;
      if (IMAGE_ID.test(image)) throw unavailable(image, 'no image of this id is on this host, and ids cannot be pulled');
      const shared = pulls.get(image) ?? begin(image);
      // A set of callbacks needs one of its own per caller, should two pass the same.
      const listener: Progress = (line) => progress(line);
      shared.listeners.add(listener);
      try {
        await untilAborted(shared.done, signal);
      } finally {
        shared.listeners.delete(listener);
        if (shared.listeners.size === 0) {
          if (pulls.get(image) === shared) pulls.delete(image);
          shared.stop.abort(new ReactorError('image_unavailable', `the pull of ${image} was given up`));
        }
      }
    },
  };
}

function untilAborted(done: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason);
    signal.addEventListener('abort', giveUp, { once: true });
    if (signal.aborted) giveUp();
    done.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}

async function pull(connection: Connection, limits: Limits, image: string, say: Progress, stop: AbortController): Promise<void> {
  const abort = (reason: string) => () => stop.abort(unavailable(image, reason));
  const silence = setTimeout(abort(`the registry reported nothing for ${limits.pullSilenceMs / 1000} s`), limits.pullSilenceMs);
  const total = setTimeout(abort(`not finished after ${limits.pullMs / 60_000} minutes`), limits.pullMs);
  const report = createReport(image, limits, say);
  try {
    const call = { method: 'POST', path: '/images/create', query: pullQuery(image), signal: stop.signal } as const;
    // The silence ends it; this deadline only must not come first.
    const opened = await connection.open({ ...call, deadlineMs: limits.pullMs, patient: true });
    if ('json' in opened) throw unavailable(image, plainWords(opened.message));
    for await (const line of jsonLines(opened)) {
      silence.refresh();
      const failure = text(at(line, 'errorDetail', 'message')) ?? text(at(line, 'error'));
      if (failure !== null) throw unavailable(image, plainWords(failure));
      report.take(line);
    }
    report.finish();
  } catch (error) {
    if (stop.signal.reason instanceof ReactorError) throw stop.signal.reason;
    if (error instanceof ReactorError) throw error;
    throw unavailable(image, 'the Docker engine broke off the pull', error);
  } finally {
    clearTimeout(silence);
    clearTimeout(total);
  }
}

function unavailable(image: string, why: string, cause?: unknown): ReactorError {
  return new ReactorError('image_unavailable', `image ${image} is not on this host and could not be pulled: ${why}`, { cause });
}

/** `name:tag@digest` is pulled by its digest. Without a tag Docker would pull every tag there is. */
export function pullQuery(image: string): { readonly fromImage: string; readonly tag: string } {
  const [named = '', digest] = image.split('@', 2);
  const colon = named.lastIndexOf(':');
  const tagged = colon > named.lastIndexOf('/');
  const fromImage = tagged ? named.slice(0, colon) : named;
  return { fromImage, tag: digest ?? (tagged ? named.slice(colon + 1) : 'latest') };
}

/** A line at the beginning, at most one per `progressMs` between, one at the end. */
function createReport(image: string, limits: Limits, say: Progress) {
  const layers = new Map<string, { readonly current: number; readonly total: number; readonly done: boolean }>();
  const startedMs = performance.now();
  let saidMs = startedMs;
  say(`pulling ${image}`);
  return {
    take(line: unknown): void {
      const id = text(at(line, 'id'));
      if (id !== null && (layers.has(id) || layers.size < MAX_LAYERS)) {
        const before = layers.get(id);
        const done = /^(Pull complete|Already exists)$/.test(text(at(line, 'status')) ?? '') || before?.done === true;
        const total = whole(at(line, 'progressDetail', 'total')) ?? before?.total ?? 0;
        layers.set(id, { current: whole(at(line, 'progressDetail', 'current')) ?? before?.current ?? 0, total, done });
      }
      if (performance.now() - saidMs < limits.progressMs) return;
      saidMs = performance.now();
      const seen = [...layers.values()].filter((layer) => layer.total > 0 || layer.done);
      const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
      const sum = (of: (layer: (typeof seen)[number]) => number) => seen.reduce((total, layer) => total + of(layer), 0);
      const current = megabytes(sum((layer) => (layer.done ? layer.total : layer.current)));
      const finished = seen.filter((layer) => layer.done).length;
      say(`pulling ${image}: ${finished} of ${seen.length} layers, ${current} of ${megabytes(sum((layer) => layer.total))} MB`);
    },
    finish(): void {
      say(`pulled ${image} in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
    },
  };
}
