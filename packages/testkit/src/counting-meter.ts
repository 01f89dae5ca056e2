import type { Meter } from '@reactor/core';

/** A meter that remembers what it was told, in words. */
export class CountingMeter implements Meter {
  readonly counted: string[] = [];

  add(name: string, labels: Readonly<Record<string, string>>): void {
    this.counted.push(`${name} ${Object.values(labels).join()}`);
  }

  set(): void {}

  observe(name: string): void {
    this.counted.push(name);
  }

  reloads(): number {
    return this.counted.filter((entry) => entry === 'reactor_reload_seconds').length;
  }
}
