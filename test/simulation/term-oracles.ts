import {
  type Cluster,
  type Commit,
  type EpochMark,
  type HostRecord,
  KEYS,
  type LeaderRecord,
  type StateView,
} from '@reactor/core';
import { clusterOf } from './cluster-view.js';
import type { Process } from './machine.js';
import type { InstanceWrite, Reader } from './reader.js';
import type { World } from './world.js';

/**
 * What must hold about terms of leadership: who may command, since when, and what hosts obey. The books are of what was asked,
 * answered and done; of the code that is watched nothing is asked.
 */
export interface TermOracles {
  /** A daemon asks for this change; it may never arrive. */
  asked(reader: Reader, change: Commit): void;
  committed(reader: Reader, change: Commit, was: Cluster): void;
  /** Instances were written by who leads; `taken` are those that lose what they had. */
  commanded(reader: Reader, writes: readonly InstanceWrite[], was: Cluster): void;
  saw(reader: Reader, view: StateView): void;
  /** A host starts or removes the container of an instance. */
  acting(process: Process, instance: string, phase: 'run' | 'remove'): void;
  /** Only what the store still tells of terms binds those who take the next. */
  storeFellBack(): void;
}

const LEASE_MS = 15_000;
/** Of a lease of 15 s the leader may use 10. */
const RENEW_WITHIN_MS = 10_000;
/** A daemon that stood still for longer, or whose clock was set by more, does not trust its sense of time. */
const UPSET_MS = 2_000;
const STILL_REST_MS = 4_000;
const STEP_REST_MS = 30_000;
/** A daemon looks at its clocks twice a second, so of two steps that close the sum is what it sees; a slow one looks less often. */
const LOOK_MS = 1_500;

interface Term extends EpochMark {
  readonly process: Process;
  readonly askedMs: number;
  readonly askedWallMs: number;
  released: boolean;
}

interface Command {
  readonly phase: string;
  /** Under which it was read. */
  readonly terms: EpochMark[];
}

export function createTermOracles(world: World): TermOracles {
  const terms: Term[] = [];
  const commands = new Map<Process, Map<string, Command>>();
  /** By host, the newest term of which it has obeyed a command. */
  const obeyed = new Map<string, EpochMark>();

  const asked = ({ process, role, renewedMs }: Reader, change: Commit): void => {
    if (role !== 'controller' || !change.write.some(({ key }) => key.startsWith(KEYS.instances))) return;
    const { nowMs } = world;
    if (renewedMs === null || nowMs - renewedMs > RENEW_WITHIN_MS)
      world.violate(
        'a leader whose renewal is overdue commands nothing',
        `${process.name} commands ${nowMs - (renewedMs ?? 0)} ms after it last asked for its lease`,
      );
    const upset = upsetOf(process);
    if (upset !== null)
      world.violate('a daemon that cannot trust its sense of time commands nothing', `${process.name} does, ${upset}`);
  };

  const upsetOf = ({ machine, commandsSinceMs }: Process): string | null => {
    const { nowMs } = world;
    const still = machine.stills.findLast(({ untilMs }) => untilMs <= nowMs);
    const isAfterStill =
      still !== undefined && still.fromMs > commandsSinceMs + LOOK_MS && still.untilMs - still.fromMs > UPSET_MS;
    if (isAfterStill && nowMs - still.untilMs < STILL_REST_MS)
      return `${nowMs - still.untilMs} ms after it stood still for ${still.untilMs - still.fromMs} ms`;
    const step = machine.steps.at(-1);
    const isAlone = machine.steps.every((other) => other === step || step!.atMs - other.atMs > LOOK_MS);
    const isAfterStep = step !== undefined && isAlone && step.atMs > commandsSinceMs + LOOK_MS && Math.abs(step.byMs) > UPSET_MS;
    return isAfterStep && nowMs - step.atMs < STEP_REST_MS
      ? `${nowMs - step.atMs} ms after its clock was set by ${step.byMs} ms`
      : null;
  };

  const committed = (reader: Reader, change: Commit, was: Cluster): void => {
    const { process, renewedMs } = reader;
    const epoch = change.write.find(({ key }) => key === KEYS.epoch)?.value as (EpochMark & { released: boolean }) | undefined;
    if (epoch === undefined) return;
    if (epoch.released) {
      const last = terms.at(-1);
      if (last?.epoch === epoch.epoch && last.host === epoch.host) last.released = true;
      return;
    }
    world.cover(was.epoch !== null && was.epoch.value.host !== epoch.host ? 'another host takes over' : 'a host takes a term');
    follows(reader, reader.hosts, epoch, 'takes');
    const askedMs = renewedMs ?? world.nowMs;
    terms.push({
      ...{ epoch: epoch.epoch, host: epoch.host, process, askedMs, released: false },
      askedWallMs: process.machine.wallMs() - (world.nowMs - askedMs),
    });
  };

  /** A term is after all that hosts said they had obeyed, as far as its holder could know. */
  const follows = ({ process }: Reader, known: StateView | null, term: EpochMark, does: string): void => {
    for (const [key, { value }] of known?.entries ?? []) {
      if (!key.startsWith(KEYS.hosts)) continue;
      const { id, epochSeen } = value as unknown as HostRecord;
      if (epochSeen && isAfter(epochSeen, term))
        world.violate(
          'a term follows all that hosts have obeyed',
          `${process.name} ${does} ${words(term)}, and ${id} said that it had obeyed ${words(epochSeen)}`,
        );
    }
  };

  const commanded = (reader: Reader, writes: readonly InstanceWrite[], was: Cluster): void => {
    const leader = was.leader?.value as LeaderRecord | undefined;
    if (leader === undefined) return;
    follows(reader, reader.view, leader, 'commands in');
    const taken = writes.filter((write) => isTaken(write, reader, was));
    if (taken.length === 0) return;
    const since = takenOver(leader.host);
    if (since === null) return;
    const { machine } = reader.process;
    const realMs = world.nowMs - since.askedMs;
    const wallMs = machine.wallMs() - since.askedWallMs;
    if (realMs < LEASE_MS && wallMs < LEASE_MS)
      world.violate(
        'nothing is taken away for one lease after a takeover',
        `${reader.process.name} takes ${taken.map(({ id }) => id).join(', ')} away ${realMs} ms after the term passed from another host that had not given it back`,
      );
  };

  /** The first of the terms that this host has held in a row, if the one before was another host's and not given back. */
  const takenOver = (host: string): Term | null => {
    const before = terms.findLastIndex((term) => term.host !== host);
    if (before < 0 || terms[before]!.released) return null;
    world.cover('something is taken away after a takeover');
    return terms[before + 1] ?? null;
  };

  const saw = ({ process, role }: Reader, view: StateView): void => {
    if (role !== 'agent') return;
    const cluster = clusterOf(view);
    const term = cluster.epoch?.value ?? null;
    if (term === null) return;
    const known = commands.get(process) ?? new Map<string, Command>();
    commands.set(process, known);
    for (const id of known.keys()) if (!cluster.instances.has(id)) known.delete(id);
    for (const [id, { value: record }] of cluster.instances) {
      if (record.host !== process.machine.id) continue;
      const command = known.get(id);
      if (command?.phase !== record.phase) known.set(id, { phase: record.phase, terms: [term] });
      else if (!command.terms.some((other) => other.epoch === term.epoch && other.host === term.host)) command.terms.push(term);
    }
  };

  const acting: TermOracles['acting'] = (process, instance, phase) => {
    const command = commands.get(process)?.get(instance);
    if (command?.phase !== phase) return;
    const { id } = process.machine;
    const newest = obeyed.get(id);
    const allowed = newest === undefined ? command.terms : command.terms.filter((term) => !isAfter(newest, term));
    if (allowed.length === 0)
      world.violate(
        'a host obeys no term that does not follow the newest it obeyed',
        `${process.name} has obeyed ${words(newest!)} and obeys ${words(command.terms[0]!)}: ${phase} ${instance}`,
      );
    // The earliest it can have obeyed: which of them it was nobody can tell from outside.
    const [earliest] = allowed.sort((a, b) => a.epoch - b.epoch);
    if (earliest !== undefined) obeyed.set(id, { epoch: earliest.epoch, host: earliest.host });
  };

  const storeFellBack = (): void => {
    const left = clusterOf(world.store.view('')).epoch?.value;
    const last = terms.findLastIndex(({ epoch, host }) => epoch === left?.epoch && host === left.host);
    terms.splice(last + 1);
  };

  return { asked, committed, commanded, saw, acting, storeFellBack };
}

/** Whether an instance that may still run loses what it had. */
function isTaken({ id, record, former }: InstanceWrite, { view }: Reader, was: Cluster): boolean {
  if (former === null) return false;
  if (record === null) return true;
  if (record.phase === former.phase || record.phase === 'run') return false;
  return ![view === null ? was : clusterOf(view), was].some((cluster) => isDead(id, former.host, cluster));
}

export function isDead(id: string, host: string, cluster: Cluster): boolean {
  const state = cluster.reports.get(id)?.value.state;
  return state === 'gone' || (state === 'exited' && cluster.hosts.has(host));
}

/** A later term, or the same number in other hands. */
const isAfter = (a: EpochMark, b: EpochMark): boolean => a.epoch > b.epoch || (a.epoch === b.epoch && a.host !== b.host);

const words = ({ epoch, host }: EpochMark): string => `epoch ${epoch} of ${host}`;
