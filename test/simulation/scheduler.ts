/**
 * Virtual time. Events wait in a heap, ordered by time, then by a seeded rank (so that what falls on the same moment comes in
 * every order over the seeds), then by number. After each one Node empties its queue of microtasks before the next begins, so
 * a step is the event with all that follows from it. Nothing in here waits for real time.
 */
export interface Scheduled {
  cancel(): void;
}

interface Item {
  readonly atMs: number;
  readonly rank: number;
  readonly number: number;
  readonly kind: number;
  run: (() => void) | null;
}

/** Callbacks handed to Node at a time: each costs a third of a microsecond then, and ten times that one by one. */
const BATCH = 64;

export class Scheduler {
  nowMs = 0;
  events = 0;
  /** Over every step's time and kind, and over what is journalled: two runs of one seed that differ anywhere differ here. */
  hash = 0x811c9dc5;
  readonly #heap: Item[] = [];
  readonly #kinds = new Map<string, number>();

  constructor(private readonly rank: () => number) {}

  after(delayMs: number, kind: string, run: () => void): Scheduled {
    let number = this.#kinds.get(kind);
    if (number === undefined) {
      number = this.#kinds.size + 1;
      this.#kinds.set(kind, number);
    }
    const atMs = this.nowMs + Math.max(0, Math.ceil(delayMs));
    const item: Item = { atMs, rank: this.rank(), number: this.events + this.#heap.length, kind: number, run };
    this.#push(item);
    return {
      cancel: () => {
        item.run = null;
      },
    };
  }

  mix(text: string): void {
    let hash = this.hash;
    for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
    this.hash = hash >>> 0;
  }

  /** Steps until `done`, asked after every one; rejects with what a step throws. */
  run(done: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false;
      const step = (): void => {
        if (over) return;
        try {
          over = done() || !this.#step();
          if (over) resolve();
        } catch (error) {
          over = true;
          reject(error);
        }
      };
      const pump = (): void => {
        if (over) return;
        for (let index = 0; index < BATCH; index += 1) setImmediate(step);
        setImmediate(pump);
      };
      pump();
    });
  }

  #step(): boolean {
    for (;;) {
      const item = this.#pop();
      if (item === undefined) return false;
      if (item.run === null) continue;
      this.nowMs = item.atMs;
      this.events += 1;
      this.hash = Math.imul(Math.imul(this.hash ^ item.atMs, 0x01000193) ^ item.kind, 0x01000193) >>> 0;
      item.run();
      return true;
    }
  }

  #push(item: Item): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(item, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = item;
  }

  #pop(): Item | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || last === first) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child += 1;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function before(a: Item, b: Item): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.rank !== b.rank ? a.rank < b.rank : a.number < b.number;
}
