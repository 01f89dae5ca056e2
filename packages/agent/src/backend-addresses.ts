import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Backend, Service } from '@reactor/core';

/**
 * Host names of static backends to addresses, for all load balancers. They would look them up themselves, but refuse
 * everything when one name fails, and report addresses that we could not map back. A name that fails keeps its last answer; without one the backend
 * is left out.
 */
const LOOKUP_LIMIT_MS = 2_000;
/** Far more names than an operator writes by hand. */
const MEMORY_LIMIT = 10_000;

export class BackendAddresses {
  readonly #known = new Map<string, readonly string[]>();
  readonly #report: (message: string) => void;

  constructor(report: (message: string) => void) {
    this.#report = report;
  }

  /** The same services, each backend's host an address; a name with several addresses becomes several backends. */
  async resolve(services: readonly Service[]): Promise<readonly Service[]> {
    const names = new Set<string>();
    for (const { backends } of services) {
      for (const { host } of backends) if (isIP(host) === 0) names.add(host);
    }
    if (names.size === 0) return services;
    await Promise.all([...names].map((name) => this.#lookup(name)));
    return services.map((service) => ({ ...service, backends: service.backends.flatMap((backend) => this.#spread(backend)) }));
  }

  #spread(backend: Backend): readonly Backend[] {
    if (isIP(backend.host) !== 0) return [backend];
    return (this.#known.get(backend.host) ?? []).map((host) => ({ ...backend, host }));
  }

  async #lookup(name: string): Promise<void> {
    try {
      const limit = new Promise<never>((_, reject) => {
        setTimeout(() => reject(new Error('no answer in time')), LOOKUP_LIMIT_MS).unref();
      });
      const found = await Promise.race([lookup(name, { all: true }), limit]);
      // One family only: `localhost` is one backend, not two.
      const family = found.some((one) => one.family === 4) ? 4 : 6;
      if (this.#known.size >= MEMORY_LIMIT) this.#known.clear();
      this.#known.set(
        name,
        found
          .filter((one) => one.family === family)
          .map((one) => one.address)
          .sort(),
      );
    } catch {
      if (!this.#known.has(name)) this.#report('a static instance has a host name that cannot be resolved; it is left out');
    }
  }
}
