/**
 * Starts one container, however often and from however many sides it is asked to: the name decides.
 *
 * 1. At most one container per name ever runs; an answer that got lost is found again under the name.
 * 2. A container of that name that is not ours is never touched.
 * 3. What could not be started is removed again, so that the next try, with another port, starts clean.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Container, ContainerSpec, LogLevel } from '@reactor/core';
import { describeExit, ReactorError } from '@reactor/core';
import type { Answer, Connection } from './connection.js';
import { plainWords, refusal } from './failure.js';
import type { Limits } from './limits.js';
import { at, items, text } from './loose-json.js';
import { nameOf, ownership, readInspect, wantedHostPort } from './reply.js';
import { createBody } from './spec.js';

/** With the waits between them, 50 ms doubling, 0.75 s: a creation somebody else is at takes some 10 ms. */
const NAME_ATTEMPTS = 5;
const FIRST_WAIT_MS = 50;

export interface Engine {
  readonly connection: Connection;
  readonly cluster: string;
  readonly socket: string;
  readonly limits: Limits;
  readonly log: (level: LogLevel, message: string) => void;
}

export async function startContainer(engine: Engine, spec: ContainerSpec): Promise<Container> {
  const body = createBody(spec, engine.cluster, engine.socket);
  for (let attempt = 0; attempt < NAME_ATTEMPTS; attempt += 1) {
    if (attempt > 0) await wait(FIRST_WAIT_MS * 2 ** (attempt - 1));
    const found = (await create(engine, spec, body)) ?? (await findNamesake(engine, spec));
    if (found === null) continue;
    if (found.kind === 'taken') return found.container;
    const started = await begin(engine, spec, found.id);
    if (started !== null) return started;
  }
  throw new ReactorError('docker_refused', `container ${spec.name} could not be started: its name keeps being taken and freed`);
}

type Found = { readonly kind: 'created'; readonly id: string } | { readonly kind: 'taken'; readonly container: Container };

/** Null when the name is taken. */
async function create(engine: Engine, spec: ContainerSpec, body: object): Promise<Found | null> {
  const { connection, limits, log } = engine;
  const call = { method: 'POST', path: '/containers/create', deadlineMs: limits.createMs } as const;
  const answer = await connection.call({ ...call, query: { name: spec.name }, body });
  if (answer.status === 409) return null;
  if (answer.status === 404) await refuseMissingImage(engine, spec.container.image);
  if (answer.status >= 400) throw refusal(answer, `create container ${spec.name}`);
  for (const warning of items(at(answer.json, 'Warnings'))) {
    log('warning', `Docker about container ${spec.name}: ${plainWords(String(warning))}`);
  }
  const id = text(at(answer.json, 'Id'));
  if (id === null) throw new ReactorError('docker_unavailable', `Docker created container ${spec.name} without telling its id`);
  return { kind: 'created', id };
}

/** A 404 of create can mean the image, a network or a container of volumes_from; only the image can be asked for. */
async function refuseMissingImage({ connection, limits }: Engine, image: string): Promise<void> {
  const path = `/images/${encodeURIComponent(image)}/json`;
  const answer = await connection.call({ method: 'GET', path, deadlineMs: limits.readMs });
  if (answer.status === 404) throw new ReactorError('image_unavailable', `image ${image} is not on this host`);
}

/** What to do with the container that has the name. Null: it is gone, or on its way, so try again. */
async function findNamesake(engine: Engine, spec: ContainerSpec): Promise<Found | null> {
  const { connection, cluster, limits } = engine;
  const answer = await inspect(engine, spec.name);
  if (answer.status === 404) return null;
  if (answer.status >= 400) throw refusal(answer, `look at container ${spec.name}`);
  const container = readInspect(answer.json, cluster);
  // Docker also finds containers by the beginning of their id; such a one does not have the name.
  if (nameOf(at(answer.json, 'Name'), '') !== spec.name) return null;
  if (container === null) {
    throw new ReactorError('docker_refused', `the name ${spec.name} is taken by a container that is not this cluster's`);
  }
  const same = container.hash === spec.hash && container.instance === spec.instance;
  if (same && (container.status === 'running' || container.status === 'paused' || container.status === 'restarting')) {
    return { kind: 'taken', container };
  }
  const startable = container.status === 'created' || container.status === 'exited';
  const samePort = spec.publish === null || onHostNetwork(spec) || wantedHostPort(answer.json) === spec.publish.hostPort;
  if (same && startable && samePort) return { kind: 'created', id: container.id };
  const query = { v: 1, force: 1 };
  const path = `/containers/${container.id}`;
  const removed = await connection.call({ method: 'DELETE', path, query, deadlineMs: limits.removeMs, patient: true });
  if (removed.status >= 400 && removed.status !== 404 && removed.status !== 409) {
    throw refusal(removed, `remove the former container ${spec.name}`);
  }
  return null;
}

const onHostNetwork = (spec: ContainerSpec) => spec.container.network === 'host';

/** All facts of one inspect after the start. Null when the container vanished meanwhile. */
async function begin(engine: Engine, spec: ContainerSpec, id: string): Promise<Container | null> {
  const { connection, cluster, limits } = engine;
  const path = `/containers/${id}/start`;
  const answer = await connection.call({ method: 'POST', path, deadlineMs: limits.startMs, patient: true });
  if (answer.status === 404 && (await inspect(engine, id)).status === 404) return null;
  if (answer.status >= 400) throw await failedStart(engine, spec, id, answer);
  const seen = await inspect(engine, id);
  if (seen.status === 404) return null;
  const container = readInspect(seen.json, cluster);
  if (container === null) throw refusal(seen, `show container ${spec.name}`);
  return container;
}

async function failedStart(engine: Engine, spec: ContainerSpec, id: string, answer: Answer): Promise<ReactorError> {
  const refused = refusal(answer, `start container ${spec.name}`);
  try {
    const seen = await inspect(engine, id);
    const container = readInspect(seen.json, engine.cluster);
    if (container === null || container.status === 'running') return refused;
    const path = `/containers/${id}`;
    await engine.connection.call({ method: 'DELETE', path, query: { v: 1 }, deadlineMs: engine.limits.removeMs, patient: true });
    if (refused.code === 'docker_refused' && (container.exitCode === 126 || container.exitCode === 127)) {
      const words = `container ${spec.name} ${describeExit(container.exitCode, false)}: ${plainWords(answer.message)}`;
      return new ReactorError('docker_refused', words, { details: { ...refused.details, exitCode: container.exitCode } });
    }
  } catch (error) {
    // Cleaning up is a kindness to the next try, which finds the rest by name; the first failure is the one to tell.
    if (!(error instanceof ReactorError)) throw error;
  }
  return refused;
}

function inspect({ connection, limits }: Engine, nameOrId: string): Promise<Answer> {
  const path = `/containers/${encodeURIComponent(nameOrId)}/json`;
  return connection.call({ method: 'GET', path, deadlineMs: limits.readMs });
}

/** The caller's id is checked against the labels first: what is not this cluster's is refused, never touched. */
export async function removeContainer(engine: Engine, containerId: string, graceMs: number): Promise<void> {
  const { connection, cluster, limits } = engine;
  const seen = await inspect(engine, containerId);
  if (seen.status === 404) return;
  if (seen.status >= 400) throw refusal(seen, `look at container ${containerId}`);
  if (ownership(at(seen.json, 'Config', 'Labels'), cluster) === null) {
    throw new ReactorError('docker_refused', `container ${containerId} is not this cluster's and is left alone`);
  }
  const path = `/containers/${encodeURIComponent(containerId)}`;
  const seconds = Math.ceil(graceMs / 1000);
  // Also for one that has ended: the answer is 304 then. A refused stop is not the end, the forced removal kills.
  const stopMs = seconds * 1000 + limits.stopMarginMs;
  await connection.call({ method: 'POST', path: `${path}/stop`, query: { t: seconds }, deadlineMs: stopMs, patient: true });
  const removal = { path, query: { v: 1, force: 1 }, deadlineMs: limits.removeMs, patient: true };
  const removed = await connection.call({ method: 'DELETE', ...removal });
  if (removed.status === 409) await awaitRemoval(engine, path, containerId);
  else if (removed.status >= 400 && removed.status !== 404) throw refusal(removed, `remove container ${containerId}`);
}

/** Somebody else is already removing it: done when they are. */
async function awaitRemoval({ connection, limits }: Engine, path: string, containerId: string): Promise<void> {
  const query = { condition: 'removed' };
  const waited = await connection.call({
    method: 'POST',
    path: `${path}/wait`,
    query,
    deadlineMs: limits.removeMs,
    patient: true,
  });
  if (waited.status >= 400 && waited.status !== 404) throw refusal(waited, `remove container ${containerId}`);
}
