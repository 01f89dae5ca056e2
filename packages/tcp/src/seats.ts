import { seatOf, type Target, type Terms } from './document.js';

/**
 * Who sits where: the sessions of every backend, and for exclusive ones whom they are kept for. Pure but for its own
 * memory; the caller brings the time and the dice.
 *
 * 1. Occupancy belongs to a backend, whatever url or endpoint leads there and whether it is still in the document: an
 *    exclusive backend has one client even while it moves from one url to another.
 * 2. A seat is taken before the connection is attempted, so that two clients never attempt the same one.
 * 3. A spent backend is never chosen again, at whatever url.
 */
export type Choice =
  | { readonly kind: 'take'; readonly target: Target }
  /** None is free now. */
  | { readonly kind: 'wait' }
  /** There are backends, and all of them have refused this client. */
  | { readonly kind: 'none' };

interface Seat {
  sessions: number;
  /** Of an exclusive backend: the client address it is taken by or kept for. */
  heldBy: string | null;
  heldSinceMs: number;
  leftAtMs: number;
  /** Kept for `heldBy` until then; null while a session lasts, or nobody holds it. */
  keptUntilMs: number | null;
  /** Ends the keeping: what the terms said when the session ended. */
  disposeMinMs: number | null;
  spent: boolean;
  /** Failed connections in a row. */
  refused: number;
  /** Not the first choice before that. */
  retryAtMs: number;
}

/** A backend that has just refused is asked last for so long. */
const REST_MS = 1_000;

export class Seats {
  readonly #seats = new Map<string, Seat>();

  /** `tried`: seats that this client has tried in vain. */
  choose(
    among: readonly Target[],
    terms: Terms,
    client: { readonly address: string; readonly tried: ReadonlySet<string> },
    chance: { readonly nowMs: number; readonly random: () => number },
  ): Choice {
    const { nowMs } = chance;
    const eligible = among.filter((target) => !target.draining && !this.#peek(target)?.spent);
    const untried = eligible.filter((target) => !client.tried.has(seatOf(target)));
    if (untried.length === 0) return eligible.length > 0 && client.tried.size > 0 ? { kind: 'none' } : { kind: 'wait' };
    const kept = terms.exclusive ? untried.find((target) => this.isKeptFor(target, client.address, nowMs)) : undefined;
    if (kept !== undefined) return { kind: 'take', target: kept };
    const free = terms.exclusive ? untried.filter((target) => this.#isFree(target, nowMs)) : untried;
    const rested = free.filter((target) => (this.#peek(target)?.retryAtMs ?? 0) <= nowMs);
    const candidates = rested.length > 0 ? rested : free;
    if (candidates.length === 0) return { kind: 'wait' };
    return { kind: 'take', target: this.#pick(candidates, terms, chance.random) };
  }

  take(target: Target, client: string, nowMs: number): void {
    const seat = this.#seat(target);
    seat.sessions += 1;
    // Coming back within the time it is kept goes on with the same stay.
    if (seat.heldBy !== client || seat.keptUntilMs === null || seat.keptUntilMs <= nowMs) seat.heldSinceMs = nowMs;
    seat.heldBy = client;
    seat.keptUntilMs = null;
  }

  connected(target: Target): void {
    this.#seat(target).refused = 0;
  }

  /** `served`: a session ended; `refused`: there was none; `left`: the client went before there was one. */
  leave(target: Target, terms: Terms, how: 'served' | 'refused' | 'left', nowMs: number): void {
    const seat = this.#seat(target);
    seat.sessions -= 1;
    seat.leftAtMs = nowMs;
    if (how === 'refused') {
      seat.refused += 1;
      seat.retryAtMs = nowMs + REST_MS;
    }
    if (seat.sessions > 0) return;
    seat.disposeMinMs = how === 'served' && terms.exclusive && terms.disposable ? terms.disposeMinMs : null;
    if (how === 'served' && terms.exclusive && terms.reconnectMs > 0) seat.keptUntilMs = nowMs + terms.reconnectMs;
    else this.#release(seat);
  }

  /** Ends what has been kept long enough; whether any was. Forgets seats nobody mentions any more. */
  expire(nowMs: number, mentioned: ReadonlySet<string>): boolean {
    let any = false;
    for (const [name, seat] of this.#seats) {
      if (seat.keptUntilMs !== null && seat.keptUntilMs <= nowMs) {
        this.#release(seat);
        any = true;
      }
      if (seat.sessions === 0 && !mentioned.has(name)) this.#seats.delete(name);
    }
    return any;
  }

  /** What has left the service is kept for nobody. */
  dismiss(target: Target): void {
    const seat = this.#peek(target);
    if (seat !== undefined && seat.keptUntilMs !== null) this.#release(seat);
  }

  sessions(target: Target): number {
    return this.#peek(target)?.sessions ?? 0;
  }

  isKept(target: Target): boolean {
    return (this.#peek(target)?.keptUntilMs ?? null) !== null;
  }

  isKeptFor(target: Target, client: string, nowMs: number): boolean {
    const seat = this.#peek(target);
    return seat !== undefined && seat.heldBy === client && seat.keptUntilMs !== null && seat.keptUntilMs > nowMs;
  }

  isSpent(target: Target): boolean {
    return this.#peek(target)?.spent ?? false;
  }

  refused(target: Target): number {
    return this.#peek(target)?.refused ?? 0;
  }

  #release(seat: Seat): void {
    if (seat.disposeMinMs !== null && seat.leftAtMs - seat.heldSinceMs >= seat.disposeMinMs) seat.spent = true;
    seat.heldBy = null;
    seat.keptUntilMs = null;
    seat.disposeMinMs = null;
  }

  #isFree(target: Target, nowMs: number): boolean {
    const seat = this.#peek(target);
    return seat === undefined || (seat.sessions === 0 && (seat.keptUntilMs === null || seat.keptUntilMs <= nowMs));
  }

  #pick(candidates: readonly Target[], terms: Terms, random: () => number): Target {
    const load = (target: Target): number => (this.#seat(target).sessions + 1) / target.weight;
    const least = Math.min(...candidates.map(load));
    // Among equals the dice decide, or every proxy of the cluster would send its first client to the same one.
    const equals = terms.balance === 'leastconn' ? candidates.filter((target) => load(target) === least) : candidates;
    let at = random() * equals.reduce((sum, target) => sum + target.weight, 0);
    for (const target of equals) {
      at -= target.weight;
      if (at < 0) return target;
    }
    return equals.at(-1)!;
  }

  #peek(target: Target): Seat | undefined {
    return this.#seats.get(seatOf(target));
  }

  #seat(target: Target): Seat {
    const known = this.#peek(target);
    if (known !== undefined) return known;
    const made: Seat = {
      sessions: 0,
      heldBy: null,
      heldSinceMs: 0,
      leftAtMs: 0,
      keptUntilMs: null,
      disposeMinMs: null,
      spent: false,
      refused: 0,
      retryAtMs: 0,
    };
    this.#seats.set(seatOf(target), made);
    return made;
  }
}
