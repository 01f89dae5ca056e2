import type { EngineFacts } from '@reactor/core';
import { ReactorError } from '@reactor/core';
import type { Call, Connection, EngineVersion } from './connection.js';
import { refusal } from './failure.js';
import type { Limits } from './limits.js';
import { at, items, text, texts, whole } from './loose-json.js';
import { hostPorts, nameOf, ownership } from './reply.js';

/**
 * Reads the facts: version, info, images and containers, at once. What `/info` said last stands in while the engine does
 * not answer it: Docker up to 20.10 holds it up for as long as the name of any registry resolves, and a dead registry of
 * one image must not make the whole host look lost. What info tells (the machine, the engine's settings) hardly changes.
 */
export function createFactsReader(connection: Connection, cluster: string, limits: Limits): () => Promise<EngineFacts> {
  let lastInfo: unknown = null;
  const read = async (call: Omit<Call, 'method'>) => {
    const answer = await connection.call({ method: 'GET', ...call });
    if (answer.status >= 400) throw refusal(answer, `answer GET ${call.path}`);
    return answer.json;
  };
  const readInfo = async () => {
    try {
      lastInfo = await read({ path: '/info', deadlineMs: lastInfo === null ? limits.readMs : limits.infoMs, patient: true });
    } catch (error) {
      if (lastInfo === null || !(error instanceof ReactorError)) throw error;
    }
    return lastInfo;
  };
  return async () => {
    const version = await connection.version();
    const [info, images, rows] = await Promise.all([
      readInfo(),
      read({ path: '/images/json', deadlineMs: limits.readMs }),
      read({ path: '/containers/json', query: { all: 1 }, deadlineMs: limits.readMs }),
    ]);
    return toFacts(version, info, images, rows, cluster);
  };
}

function toFacts(version: EngineVersion, info: unknown, images: unknown, rows: unknown, cluster: string): EngineFacts {
  const cpus = whole(at(info, 'NCPU'));
  const memoryBytes = whole(at(info, 'MemTotal'));
  if (cpus === null || memoryBytes === null) {
    throw new ReactorError('docker_unavailable', 'GET /info did not say how many CPUs and how much memory the host has');
  }
  return {
    version: version.version,
    apiVersion: version.api,
    cpus,
    memoryBytes,
    labels: readLabels(info),
    liveRestore: at(info, 'LiveRestoreEnabled') === true,
    images: items(images).flatMap(readImage),
    foreign: items(rows).flatMap((row) => readForeign(row, cluster)),
  };
}

/** The engine's own `key=value` labels; what Docker knows about the machine cannot be overridden by them. */
export function readLabels(info: unknown): Readonly<Record<string, string>> {
  const own = items(at(info, 'Labels')).flatMap((label): [string, string][] => {
    const written = text(label);
    const split = written?.indexOf('=') ?? -1;
    return written === null || split < 1 ? [] : [[written.slice(0, split), written.slice(split + 1)]];
  });
  const builtIn = [
    ['storagedriver', 'Driver'],
    ['kernelversion', 'KernelVersion'],
    ['operatingsystem', 'OperatingSystem'],
    ['ostype', 'OSType'],
    ['architecture', 'Architecture'],
  ].flatMap(([label, field]): [string, string][] => {
    const value = text(at(info, field ?? ''));
    return value === null ? [] : [[label ?? '', value]];
  });
  return Object.fromEntries([...own, ...builtIn]);
}

function readImage(image: unknown): EngineFacts['images'] {
  const id = text(at(image, 'Id'));
  if (id === null) return [];
  const tags = items(at(image, 'RepoTags')).flatMap((tag) => (typeof tag === 'string' && tag !== '<none>:<none>' ? [tag] : []));
  return [{ id, tags }];
}

function readForeign(row: unknown, cluster: string): EngineFacts['foreign'] {
  const id = text(at(row, 'Id'));
  if (id === null || ownership(at(row, 'Labels'), cluster) !== null) return [];
  const names = items(at(row, 'Names')).map((name) => nameOf(name, id));
  return [{ id, names, labels: texts(at(row, 'Labels')), hostPorts: hostPorts(row) }];
}
