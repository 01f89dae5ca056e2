import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { RunningReactor } from './running-reactor.js';
import { until } from './until.js';

/**
 * What a reactor does while there is nothing to do, seen from outside: Docker's own event stream, the processes of nginx,
 * its files, and the state on disk. At rest it must be nothing at all.
 */
export interface StandstillOptions {
  readonly ms: number;
  /** Instead of the embedded state's file: anything that changes with every commit. */
  readonly revision?: () => Promise<string>;
  /** Run meanwhile, e.g. a restart of the daemon; may commit, so the state is not looked at. */
  readonly meanwhile?: () => Promise<void>;
}

/** The host looked at: where its daemon keeps its files, and Docker's command line on its engine. */
export type WatchedHost = Pick<RunningReactor, 'data' | 'dockerCli'>;

/** The operations seen, in words; empty at rest. */
export async function operationsDuring(reactor: WatchedHost, options: StandstillOptions): Promise<readonly string[]> {
  const { ms, meanwhile } = options;
  const revision = meanwhile ? async () => '' : (options.revision ?? (async () => embeddedRevision(reactor)));
  const beforeMs = Date.now();
  const before = { nginx: nginxOf(reactor), revision: await revision() };
  await meanwhile?.();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const after = { nginx: nginxOf(reactor), revision: await revision() };
  const events = await dockerEvents(reactor, beforeMs, Date.now());
  const moved = [
    before.nginx.workers !== after.nginx.workers &&
      `nginx's workers changed from ${before.nginx.workers} to ${after.nginx.workers}`,
    before.nginx.files !== after.nginx.files && `nginx's files changed from ${before.nginx.files} to ${after.nginx.files}`,
    before.revision !== after.revision && `the state moved from ${before.revision} to ${after.revision}`,
  ];
  return [...moved.filter((each) => each !== false), ...events];
}

/** Master and workers, and every file of the configuration with its inode and time. */
export function nginxOf(reactor: WatchedHost): { readonly master: number; readonly workers: string; readonly files: string } {
  const directory = join(reactor.data, 'nginx');
  const pidFile = join(directory, 'nginx.pid');
  const master = existsSync(pidFile) ? Number(readFileSync(pidFile, 'utf8')) : 0;
  const current = join(directory, 'current');
  const files = existsSync(current) ? [readlinkSync(current), ...stamps(`${current}/`)] : [];
  return { master, workers: workersOf(master).join(' '), files: files.join(' ') };
}

/** Workers that take new requests: those told to shut down say so in their title. */
export function workersOf(master: number): readonly number[] {
  return childrenOf(master).filter((pid) => /^nginx: worker process(?! is shutting down)/.test(titleOf(pid)));
}

/** Workers of earlier configurations that still finish their requests. */
export function oldWorkersOf(master: number): readonly number[] {
  return childrenOf(master).filter((pid) => titleOf(pid).includes('shutting down'));
}

function childrenOf(pid: number): readonly number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  try {
    return readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function titleOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return '';
  }
}

function stamps(directory: string): readonly string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name);
      const { ino, mtimeMs, size } = statSync(path);
      return `${entry.name}:${ino}:${mtimeMs}:${size}`;
    })
    .sort();
}

function embeddedRevision(reactor: WatchedHost): string {
  return String(statSync(join(reactor.data, 'state/data.mdb')).mtimeMs);
}

/** Container events between two moments, `exec` and `health_status` left out; one line each. */
export async function dockerEvents(reactor: WatchedHost, sinceMs: number, untilMs: number): Promise<readonly string[]> {
  const at = (ms: number): string => (ms / 1000).toFixed(3);
  const format = '{{.Action}} {{.Actor.Attributes.name}} at {{.Time}}';
  const text = await reactor.dockerCli([
    'events',
    '--since',
    at(sinceMs),
    '--until',
    at(untilMs),
    '--filter',
    'type=container',
    '--format',
    format,
  ]);
  return text.split('\n').filter((line) => line !== '' && !/^(exec|health)/.test(line));
}

/** One value of /metrics, summed over the label sets that match; 0 when there is none. */
export async function metricOf(reactor: RunningReactor, name: string, labels: RegExp = /.*/): Promise<number> {
  const text = await (await fetch(`${reactor.api}/metrics`)).text();
  let sum = 0;
  for (const line of text.split('\n')) {
    const match = /^([a-z_]+)(\{[^}]*\})? (\S+)$/.exec(line);
    if (match?.[1] === name && labels.test(match[2] ?? '')) sum += Number(match[3]);
  }
  return sum;
}

/** A few rounds, in which what a fault left behind is put right. */
const CONVERGE_MS = 15_000;
const CALM_MS = 1_000;

/** Waits until nothing is done for a moment; then the operations seen in `ms`, which must be none. */
export async function operationsAtRest(
  reactor: RunningReactor,
  options: Omit<StandstillOptions, 'meanwhile'>,
): Promise<readonly string[]> {
  await until('nothing is done for a second', CONVERGE_MS, async () => {
    const seen = await operationsDuring(reactor, { ...options, ms: CALM_MS });
    if (seen.length > 0) throw new Error(seen.join('; '));
    return true;
  });
  return operationsDuring(reactor, options);
}
