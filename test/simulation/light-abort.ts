/**
 * Stands in for the platform's AbortController, of which loops make one per rest: the platform's makes an exception with a
 * stack for each abort, which was a sixth of all the time a simulation took. What production code uses of it is here, with
 * the same meaning: listeners are called at once, in the order they were added, and `once` is understood.
 */
class LightSignal {
  aborted = false;
  readonly #listeners = new Set<() => void>();

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.#listeners.delete(listener);
  }

  throwIfAborted(): void {
    if (this.aborted) throw new Error('aborted');
  }

  abort(): void {
    if (this.aborted) return;
    this.aborted = true;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  }
}

class LightController {
  readonly signal = new LightSignal();

  abort(): void {
    this.signal.abort();
  }
}

/** For a process that does nothing but simulate. */
export function installLightAbort(): void {
  Object.assign(globalThis, { AbortController: LightController, AbortSignal: LightSignal });
}
