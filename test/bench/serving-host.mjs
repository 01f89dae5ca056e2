import { createClient } from '../../packages/client/dist/index.js';
import { sandbox, startReactor } from '../../packages/testkit/dist/running-reactor.js';
import { until } from '../../packages/testkit/dist/until.js';
import { makeWebImage, WEB_IMAGE, WEB_PORT } from './web-image.mjs';

/** A real reactord in the sandbox, the image its endpoints run, and what benchmarks ask of it. */

const READY_LIMIT_MS = 30_000;
const GONE_LIMIT_MS = 60_000;

export async function startHost() {
  const place = sandbox();
  makeWebImage(place.docker);
  const reactor = await startReactor();
  const client = createClient({ api: reactor.api });
  const counts = async (name) => (await client.state(name)).instances;
  const total = async (name) => Object.values(await counts(name)).reduce((sum, count) => sum + count, 0);
  const set = (name, values) =>
    Object.entries(values).reduce(
      (before, [key, value]) => before.then(() => client.setValue(name, 'scaling', key, String(value))),
      Promise.resolve(),
    );

  return {
    ...place,
    reactor,
    client,
    /** Deploys an endpoint on `port` and waits until its first instances answer. */
    async deploy(name, { port, min = 1, max = min, scaling = '', loadBalancer = 'nginx' }) {
      await client.manageEndpoint(
        name,
        `[endpoint]
url=http://:${port}
cloud=docker
loadbalancer=${loadBalancer}
port=${WEB_PORT}
decommissioned_timeout=1
[scaling]
min_instances=${min}
max_instances=${max}
${scaling}
[cloud:docker]
image=${WEB_IMAGE}
`,
      );
      await client.act(name, 'start');
      await this.untilReady(name, min);
      // Ready is not yet served: the load balancer may still be taking the last ones up.
      const answered = new Set();
      await until(`${min} instances of ${name} answer`, READY_LIMIT_MS, async () => {
        const { ok, headers } = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
        if (ok) answered.add(headers.get('x-instance'));
        return answered.size === min;
      });
    },
    /** Keys of the section [scaling], one after the other. */
    set,
    untilReady: (name, count) =>
      until(`${count} instances of ${name} are ready`, READY_LIMIT_MS, async () => (await counts(name)).ready === count),
    /** Nothing drains or stops any more. */
    untilOnly: (name, count) =>
      until(`${count} instances of ${name} are left`, GONE_LIMIT_MS, async () => (await total(name)) === count),
    /** When the first decision to change the count since `sinceMs` was made, milliseconds since the epoch. */
    async decidedMs(name, sinceMs) {
      const rows = await client.log(name);
      const row = rows.find(([seconds, , , , event]) => event === 'SCALE_UPDATE' && seconds * 1000 >= sinceMs);
      if (row === undefined)
        throw new Error(`${name} has no decision since ${sinceMs} in its log: ${JSON.stringify(rows.slice(-8))}`);
      return row[0] * 1000;
    },
    stop: () => reactor.stop(),
  };
}
