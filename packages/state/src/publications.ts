import type { Json } from '@reactor/core';

/** The newest value of every topic until it expires. Time is an argument: milliseconds of any clock that never goes back. */
export class Publications {
  readonly #topics = new Map<string, { readonly value: Json; readonly untilMs: number }>();

  publish(values: readonly { readonly key: string; readonly text: string }[], untilMs: number, nowMs: number): void {
    this.#expire(nowMs);
    for (const { key, text } of values) this.#topics.set(key, { value: JSON.parse(text) as Json, untilMs });
  }

  latest(prefix: string, nowMs: number): ReadonlyMap<string, Json> {
    this.#expire(nowMs);
    const found = new Map<string, Json>();
    for (const [topic, { value }] of this.#topics) if (topic.startsWith(prefix)) found.set(topic, value);
    return found;
  }

  #expire(nowMs: number): void {
    for (const [topic, { untilMs }] of this.#topics) if (untilMs <= nowMs) this.#topics.delete(topic);
  }
}
