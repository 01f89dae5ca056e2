/** The container port, on one Docker engine. */
import type { Container, ContainerEngine, ContainerSpec, LogLevel, Meter } from '@reactor/core';
import { ReactorError } from '@reactor/core';
import { createConnection } from './connection.js';
import { watchEvents } from './events.js';
import { createFactsReader } from './facts.js';
import { createImages } from './image.js';
import type { Limits } from './limits.js';
import { DEFAULT_LIMITS } from './limits.js';
import { readOutput } from './output.js';
import { createRoster } from './roster.js';
import type { Engine } from './start.js';
import { removeContainer, startContainer } from './start.js';

export interface EngineOptions {
  /** Path of the engine's unix socket. */
  readonly socket: string;
  /** Containers with this value in their label `reactor.cluster` are ours, all others are not. */
  readonly cluster: string;
  readonly log: (level: LogLevel, message: string) => void;
  readonly meter: Meter;
  /** Instead of the defaults; for tests. */
  readonly limits?: Partial<Limits>;
}

/** Connects at the first call. Every failure is a `ReactorError` and counted, but for what a caller's signal ended. */
export function createEngine(options: EngineOptions): ContainerEngine {
  const { socket, cluster, log, meter } = options;
  const limits: Limits = { ...DEFAULT_LIMITS, ...options.limits };
  const connection = createConnection({ socket, limits, log });
  const engine: Engine = { connection, cluster, socket, limits, log };
  const images = createImages(connection, limits);
  const readFacts = createFactsReader(connection, cluster, limits);
  const roster = createRoster(connection, cluster, limits);

  async function counted<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof ReactorError) meter.add('reactor_docker_errors_total', { code: error.code });
      throw error;
    }
  }

  return {
    facts: () => counted(readFacts()),
    list: () => counted(roster.list()),
    prepare: (image, progress, signal) => counted(images.prepare(image, progress, signal)),
    start: (spec: ContainerSpec): Promise<Container> => counted(startContainer(engine, spec)),
    remove: (containerId, graceMs) => counted(removeContainer(engine, containerId, graceMs)),
    output: (containerId, range, signal) => readOutput(connection, limits, containerId, range, signal),
    events: (signal) => watchEvents(connection, cluster, limits, roster.forget, signal),
  };
}
