import { connect, type Socket } from 'node:net';
import type { BackendTraffic, EndpointTraffic } from '@reactor/core';
import { clientName, plainAddress, subnetCheck } from './client-address.js';
import { addressOf, type Listener, seatOf, type Target } from './document.js';
import type { Choice, Seats } from './seats.js';
import { Session } from './session.js';
import { Tally } from './tally.js';
import { stopWatching, watchWaiting } from './waiting.js';

/**
 * One url: its clients, from the moment they are accepted until they are gone. A client is brought to a backend at once,
 * or waits in the queue in the order of arrival until one is free; each backend is tried at most once for it.
 *
 * Not its purpose: listening (proxy.ts), and who may sit where (seats.ts), which all urls share.
 */
export interface SwitchboardOptions {
  readonly seats: Seats;
  /** A seat has become free: other urls may want it, too. */
  readonly freed: () => void;
  /** Whether one more client can be held at all. */
  readonly admits: () => boolean;
}

/** One entry of `reactor sessions`. */
export interface SessionRow {
  readonly endpoint: string;
  readonly client: string;
  readonly backend: string;
  readonly instance: string;
  readonly sinceMs: number;
}

interface Client {
  readonly socket: Socket;
  readonly address: string;
  readonly name: string;
  readonly tried: Set<string>;
  /** Null while it waits. */
  stay: Stay | null;
}

interface Stay {
  readonly client: Client;
  readonly target: Target;
  readonly sinceMs: number;
  /** Null while the backend is being connected to. */
  session: Session | null;
  backend: Socket;
}

const CONNECT_LIMIT_MS = 5_000;
const KEEPALIVE_MS = 60_000;
/** Per url. Who is further back has no hope of being served soon and is told so by a closed connection. */
export const QUEUE_LIMIT = 1_000;

export class Switchboard {
  readonly #options: SwitchboardOptions;
  readonly #queue: Client[] = [];
  readonly #stays = new Set<Stay>();
  readonly #tallies = new Map<string, Tally>();
  #listener: Listener;
  #mayCome: (address: string) => boolean;

  constructor(listener: Listener, options: SwitchboardOptions) {
    this.#options = options;
    this.#listener = listener;
    this.#mayCome = subnetCheck(listener.terms.clientSubnets);
    this.configure(listener);
  }

  /** From here on no session begins that the new listener does not allow; those there are go on. */
  configure(listener: Listener): void {
    this.#listener = listener;
    this.#mayCome = subnetCheck(listener.terms.clientSubnets);
    for (const { name, windowMs } of listener.endpoints) this.#tally(name).windowMs = windowMs;
    for (const target of listener.targets) if (target.draining) this.#options.seats.dismiss(target);
    this.pump();
  }

  /** Nobody new is accepted; who waits is sent away. */
  close(): void {
    this.#listener = { ...this.#listener, targets: this.#listener.targets.map((target) => ({ ...target, draining: true })) };
    for (const target of this.#listener.targets) this.#options.seats.dismiss(target);
    for (const client of this.#queue.splice(0)) client.socket.destroy();
  }

  accept(socket: Socket): void {
    const address = plainAddress(socket.remoteAddress ?? '');
    if (address === '' || !this.#mayCome(address) || !this.#options.admits()) {
      socket.destroy();
      return;
    }
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_MS);
    // Errors of a client end its session, and have an end of their own while there is none.
    socket.on('error', () => undefined);
    const client: Client = { socket, address, name: clientName(address, socket.remotePort ?? 0), tried: new Set(), stay: null };
    socket.once('close', () => this.#forget(client));
    // Whom a backend is kept for does not stand in line; nobody else overtakes.
    if (this.#queue.length > 0 && !this.#isExpected(address)) this.#enqueue(client, 'last');
    else this.#place(client, 'last');
  }

  /** Brings everyone to a backend for whom there is one. */
  pump(): void {
    const free = this.#hasFree();
    for (const client of [...this.#queue]) {
      if (!free && !this.#isExpected(client.address)) continue;
      const at = this.#queue.indexOf(client);
      if (at < 0) continue;
      const choice = this.#choose(client);
      if (choice.kind === 'wait') continue;
      this.#queue.splice(at, 1);
      stopWatching(client.socket);
      this.#follow(client, choice);
    }
  }

  get isIdle(): boolean {
    return this.#stays.size === 0 && this.#queue.length === 0;
  }

  get clients(): number {
    return this.#stays.size + this.#queue.length;
  }

  /** The seats it cares for: those of its backends, and those somebody still sits on. */
  mentioned(): readonly string[] {
    return [...this.#listener.targets, ...[...this.#stays].map((stay) => stay.target)].map(seatOf);
  }

  sessions(): readonly SessionRow[] {
    return [...this.#stays].flatMap(({ client, target, sinceMs, session }) =>
      session === null
        ? []
        : [{ endpoint: target.endpoint, client: client.name, backend: addressOf(target), instance: target.id, sinceMs }],
    );
  }

  /** Whether there was such a session. */
  kill(endpoint: string, client: string): boolean {
    const found = [...this.#stays].filter((stay) => stay.target.endpoint === endpoint && stay.client.name === client);
    for (const { session } of found) session?.cut();
    return found.some(({ session }) => session !== null);
  }

  /** `sinceMs`: nothing is known of before. */
  traffic(nowMs: number, sinceMs: number): Readonly<Record<string, EndpointTraffic>> {
    for (const { session, target } of this.#stays) this.#tally(target.endpoint).bytes(session?.takeBytes() ?? 0, nowMs);
    const seen: Record<string, EndpointTraffic> = {};
    for (const [name, tally] of this.#tallies) {
      tally.forget(nowMs);
      const backends = this.#backends(name, tally, nowMs);
      const active = Object.values(backends).reduce((sum, backend) => sum + backend.active, 0);
      const part = sinceMs > nowMs - tally.windowMs ? { completeSinceMs: sinceMs } : {};
      seen[name] = { ...tally.report(nowMs), active, pending: this.#queue.length, backends, ...part };
      const known = this.#listener.endpoints.some((endpoint) => endpoint.name === name);
      if (!known && active === 0) this.#tallies.delete(name);
    }
    return seen;
  }

  /** Each with all of its sessions, at whatever url, as every load balancer tells of an address. */
  #backends(endpoint: string, tally: Tally, nowMs: number): Readonly<Record<string, BackendTraffic>> {
    const { seats } = this.#options;
    const sitting = [...this.#stays].map((stay) => stay.target);
    const targets = new Map<string, Target>();
    for (const target of [...this.#listener.targets, ...sitting])
      if (target.endpoint === endpoint) targets.set(seatOf(target), target);
    const backends: Record<string, BackendTraffic> = {};
    for (const target of targets.values()) {
      // What is kept for somebody is in use, as it was in 2013: else it would be scaled away.
      const active = seats.sessions(target) || (seats.isKept(target) ? 1 : 0);
      const spent = seats.isSpent(target) ? { spent: true } : {};
      // A host name with several addresses is one backend at several of them.
      const elsewhere = backends[target.id]?.active ?? 0;
      const { requests, errors } = tally.backend(target.id, nowMs);
      backends[target.id] = { active: active + elsewhere, requests, errors, refused: seats.refused(target), ...spent };
    }
    return backends;
  }

  #choose(client: Client): Choice {
    const { targets, terms } = this.#listener;
    return this.#options.seats.choose(targets, terms, client, { nowMs: Date.now(), random: Math.random });
  }

  #hasFree(): boolean {
    if (this.#queue.length === 0) return false;
    const nobody = { address: '', tried: new Set<string>() };
    const { targets, terms } = this.#listener;
    return this.#options.seats.choose(targets, terms, nobody, { nowMs: Date.now(), random: () => 0 }).kind === 'take';
  }

  #isExpected(address: string): boolean {
    const { targets, terms } = this.#listener;
    return (
      terms.exclusive && targets.some((target) => !target.draining && this.#options.seats.isKeptFor(target, address, Date.now()))
    );
  }

  /** To a backend now, or to that end of the queue. */
  #place(client: Client, where: 'first' | 'last'): void {
    const choice = this.#choose(client);
    if (choice.kind === 'wait') this.#enqueue(client, where);
    else this.#follow(client, choice);
  }

  #follow(client: Client, choice: Exclude<Choice, { kind: 'wait' }>): void {
    if (choice.kind === 'take') this.#connect(client, choice.target);
    else this.#turnAway(client);
  }

  #enqueue(client: Client, where: 'first' | 'last'): void {
    if (where === 'last' && this.#queue.length >= QUEUE_LIMIT) {
      this.#turnAway(client);
      return;
    }
    if (where === 'first') this.#queue.unshift(client);
    else this.#queue.push(client);
    watchWaiting(client.socket);
  }

  #connect(client: Client, target: Target): void {
    const { seats } = this.#options;
    client.tried.add(seatOf(target));
    seats.take(target, client.address, Date.now());
    const backend = connect({ host: target.host, port: target.port, allowHalfOpen: true, noDelay: true });
    const stay: Stay = { client, target, sinceMs: Date.now(), session: null, backend };
    client.stay = stay;
    this.#stays.add(stay);
    backend.setTimeout(CONNECT_LIMIT_MS, () => backend.destroy(new Error('no answer')));
    const failed = (): void => this.#refused(stay);
    backend.once('error', () => undefined);
    backend.once('close', failed);
    backend.once('connect', () => {
      backend.off('close', failed);
      backend.setTimeout(0);
      backend.setKeepAlive(true, KEEPALIVE_MS);
      seats.connected(target);
      this.#tally(target.endpoint).connection(target.id, Date.now());
      stay.session = new Session(client.socket, backend, () => this.#ended(stay));
    });
  }

  #refused(stay: Stay): void {
    const { client, target } = stay;
    const gone = client.socket.destroyed;
    if (!gone) this.#tally(target.endpoint).failure(target.id, Date.now());
    this.#leave(stay, gone ? 'left' : 'refused');
    if (gone) return;
    this.#place(client, 'first');
  }

  #ended(stay: Stay): void {
    this.#tally(stay.target.endpoint).bytes(stay.session?.takeBytes() ?? 0, Date.now());
    this.#leave(stay, 'served');
  }

  #leave(stay: Stay, how: 'served' | 'refused' | 'left'): void {
    this.#stays.delete(stay);
    stay.client.stay = null;
    const { terms, targets } = this.#listener;
    this.#options.seats.leave(stay.target, terms, how, Date.now());
    const current = targets.find((target) => seatOf(target) === seatOf(stay.target));
    if (current === undefined || current.draining) this.#options.seats.dismiss(stay.target);
    this.#options.freed();
  }

  #turnAway(client: Client): void {
    const first = this.#listener.endpoints[0];
    if (first !== undefined) this.#tally(first.name).failure(null, Date.now());
    client.socket.resetAndDestroy();
  }

  /** The client has gone, wherever it was. */
  #forget(client: Client): void {
    const at = this.#queue.indexOf(client);
    if (at >= 0) this.#queue.splice(at, 1);
    if (client.stay !== null && client.stay.session === null) client.stay.backend.destroy();
  }

  #tally(endpoint: string): Tally {
    const windowMs = this.#listener.endpoints.find(({ name }) => name === endpoint)?.windowMs ?? 10_000;
    const known = this.#tallies.get(endpoint) ?? new Tally(windowMs);
    this.#tallies.set(endpoint, known);
    return known;
  }
}
