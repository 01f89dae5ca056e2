import { type ConfigDocument, type ContainerSpec, LOGS, unpackDecision } from '@reactor/core';
import { acceptingGenerations, serve } from './balancer.js';
import { unsettled } from './convergence.js';
import { startDaemonProcess } from './daemon-process.js';
import { documentOf, type Load, newRate, SLOTS_EACH } from './endpoints.js';
import { createFaults } from './faults.js';
import { Machine } from './machine.js';
import { createOperator, type Operator } from './operator.js';
import { createOracles, FOREIGN } from './oracles.js';
import type { Profile } from './profiles.js';
import { World } from './world.js';

/** One seed from its start to its end: a cluster comes up, faults strike, they end, and it has to come to rest. */
export interface Outcome {
  readonly seed: number;
  /** In words; null when all went well. */
  readonly violation: string | null;
  readonly hash: number;
  readonly events: number;
  readonly virtualMs: number;
  readonly settledAfterMs: number | null;
  readonly covered: readonly string[];
  readonly journal: readonly string[];
}

export interface SimulationOptions {
  readonly seed: number;
  /** How long faults strike, at least. */
  readonly faultyMs: number;
  /** Null leaves it to the seed. */
  readonly profile: Profile | null;
}

const HOSTS = 3;
const ROOM_FOR = 6;
/**
 * From the end of the faults until the cluster is at rest: an instance that failed all the time is tried again after a minute,
 * and may be replaced, drained and removed one after the other after that.
 */
const SETTLE_WITHIN_MS = 240_000;
/** Ten rounds in which nothing is done. */
const REST_MS = 10_000;
const LOOK_MS = 1_000;

export async function simulate({ seed, profile, ...options }: SimulationOptions): Promise<Outcome> {
  const world = new World(seed, profile);
  const faultyMs = Math.max(options.faultyMs, world.profile?.leastMs ?? 0);
  const slots = (world.profile?.roomFor ?? ROOM_FOR) * SLOTS_EACH;
  const { chance, scheduler } = world;
  const oracles = createOracles(world);
  for (let number = 1; number <= HOSTS; number += 1)
    world.machines.push(new Machine(world, `h${number}`, `10.0.0.${number}`, slots));
  await placeDecoys(world);
  const operator = createOperator(world, oracles);
  const loads: Load[] = ['ape', 'bee', 'cat']
    .slice(0, chance.whole(2, 3))
    .map((name) => ({ name, rate: newRate(chance), rest: 0 }));
  const faults = createFaults({ world, oracles, operator, loads });

  for (const machine of world.machines)
    scheduler.after(chance.whole(0, 500), 'boot', () => startDaemonProcess(world, machine, oracles));
  for (const load of loads) scheduler.after(chance.whole(1_500, 3_000), 'create', () => void create(operator, load.name, world));
  offerLoad(world, loads);
  scheduler.after(5_000, 'faults begin', () => faults.begin());
  const rest = { settledAtMs: null as number | null, over: false };
  scheduler.after(faultyMs, 'heal', () => {
    faults.heal();
    mend(world, operator, loads);
    watchRest(world, oracles, rest);
  });

  await scheduler.run(() => world.violation !== null || rest.over);
  for (const machine of world.machines) machine.process?.kill();
  await decideAgain(world);
  return {
    seed,
    violation: world.violation?.message ?? null,
    hash: scheduler.hash,
    events: scheduler.events,
    virtualMs: world.nowMs,
    settledAfterMs: rest.settledAtMs === null ? null : rest.settledAtMs - faultyMs,
    covered: [...world.covered],
    journal: world.journal,
  };
}

/** Whatever went wrong meanwhile: what was kept of a decision suffices to make it again. */
async function decideAgain(world: World): Promise<void> {
  const kept = await world.store.tail(LOGS.decisions, 0, Number.MAX_SAFE_INTEGER);
  const other = kept.map(unpackDecision).find(({ reproduced }) => reproduced !== true);
  if (other !== undefined) world.violate('a decision that is kept can be made again', `${other.endpoint}: ${other.sentence}`);
}

/** A container of somebody else on every host, on a port of the agent's range. */
async function placeDecoys(world: World): Promise<void> {
  for (const machine of world.machines) {
    await machine.engine.sibling('another').start({
      name: 'decoy',
      instance: 'decoy',
      endpoint: 'ape',
      slots: 10,
      hash: FOREIGN,
      tokenHash: '',
      container: { image: 'good:1' } as ContainerSpec['container'],
      environment: [],
      linked: { environment: [], hostNames: [] },
      publish: { containerPort: 80, hostAddress: machine.address, hostPort: 20_000 + world.chance.whole(0, 1_999) },
    });
  }
}

const RETRY_MS = 500;

async function create(operator: Operator, name: string, world: World): Promise<void> {
  const params = { endpoint: name };
  const again = (): void => void world.scheduler.after(RETRY_MS, 'create', () => void create(operator, name, world));
  const there = (): boolean => world.store.view('').entries.has(`endpoints/${name}`);
  if (!there()) await operator.ask('PUT', '/endpoints/:endpoint', params, documentOf(name, world.chance));
  if (!there() || !(await operator.ask('POST', '/endpoints/:endpoint/state', params, { action: 'start' }))) again();
}

/** Once a second, what users ask for goes to the load balancers that run: DNS names all hosts, and clients try another. */
function offerLoad(world: World, loads: readonly Load[]): void {
  const offer = (): void => {
    const serving = world.machines.filter((machine) => acceptingGenerations(machine).length > 0);
    for (const load of loads) {
      for (const machine of serving) {
        load.rest += load.rate / serving.length;
        const requests = Math.floor(load.rest);
        load.rest -= requests;
        serve(machine, load.name, requests);
      }
    }
    world.scheduler.after(1_000, 'load', offer);
  };
  offer();
}

/** What the operator sets right at last: broken images, hosts that are to be empty. What is paused or stopped stays so. */
function mend(world: World, operator: Operator, loads: readonly Load[]): void {
  const insist = (done: () => boolean, act: () => Promise<boolean>): void => {
    const again = async (): Promise<void> => {
      if (!done()) await act();
      // An edit that was under way may arrive only now.
      world.scheduler.after(RETRY_MS, 'mend', () => void again());
    };
    void again();
  };
  const stored = (key: string) => world.store.view('').entries.get(key)?.value;
  /** Hosts that are full to the last slot could not replace anything. */
  const makeRoom = (endpoint: string): void => {
    for (const key of ['min_instances', 'max_instances']) {
      const said = () => (stored(`endpoints/${endpoint}`) as { document?: ConfigDocument } | undefined)?.document?.scaling?.[key];
      const body = { section: 'scaling', key, value: '1' };
      insist(
        () => said() === '1',
        () => operator.ask('PATCH', '/endpoints/:endpoint', { endpoint }, body),
      );
    }
  };
  for (const { name: endpoint } of loads) {
    const good = (): boolean => !JSON.stringify(stored(`endpoints/${endpoint}`) ?? null).includes('bad:1');
    const body = { section: 'cloud:docker', key: 'image', value: 'good:2' };
    insist(good, () => operator.ask('PATCH', '/endpoints/:endpoint', { endpoint }, body));
  }
  if (world.profile?.roomFor !== undefined) for (const { name } of loads) makeRoom(name);
  for (const { id: host } of world.machines) {
    const active = (): boolean => stored(`hosts-config/${host}`) === undefined;
    insist(active, () => operator.ask('POST', '/hosts/:host/state', { host }, { action: 'activate' }));
  }
}

function watchRest(
  world: World,
  oracles: ReturnType<typeof createOracles>,
  rest: { settledAtMs: number | null; over: boolean },
): void {
  const healedMs = world.nowMs;
  const look = async (): Promise<void> => {
    const lacking = await unsettled(world, oracles);
    const quietMs = world.nowMs - Math.max(oracles.lastOperationMs, healedMs);
    if (lacking !== null || quietMs < LOOK_MS) rest.settledAtMs = null;
    else rest.settledAtMs ??= world.nowMs;
    if (rest.settledAtMs !== null && world.nowMs - rest.settledAtMs >= REST_MS) {
      rest.over = true;
      return;
    }
    if (world.nowMs - healedMs > SETTLE_WITHIN_MS)
      world.violate(
        'faults end and the cluster comes to rest',
        lacking ?? `it is as meant, but the last operation was ${quietMs} ms ago`,
      );
    world.scheduler.after(LOOK_MS, 'look', () => void look());
  };
  void look();
}
