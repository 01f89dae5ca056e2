import type { Chance } from './chance.js';

/** The endpoints of a simulated cluster and the load on them. */
export interface Load {
  readonly name: string;
  /** Requests a second, over all hosts. */
  rate: number;
  /** What was offered and not yet counted, for a rate is no whole number. */
  rest: number;
}

/** An instance takes ten slots and about four requests a second. */
export const SLOTS_EACH = 10;

export function documentOf(name: string, chance: Chance): string {
  const max = chance.whole(2, 5);
  const min = chance.whole(chance.happens(0.2) ? 0 : 1, Math.min(2, max));
  const rules = chance.pick(['rate < 4', '1 < rate < 4', '2 <= rate <= 6, active < 4', 'rate < 4']);
  return `[endpoint]
url=http://${name}.test
cloud=docker
loadbalancer=nginx
port=5000
error_marks=${chance.whole(1, 2)}
decommissioned_timeout=${chance.whole(1, 6)}
drain_timeout=${chance.whole(6, 12)}
stop_timeout=1
unregistered_timeout=${chance.whole(5, 12)}
unknown_timeout=${chance.whole(10, 25)}
[scaling]
min_instances=${min}
max_instances=${max}
rules=${rules}
ramp_limit=${chance.whole(1, 5)}
window=5
scale_down_delay=${chance.whole(3, 10)}
[cloud:docker]
image=good:1
slots=${SLOTS_EACH}
`;
}

export const newRate = (chance: Chance): number => (chance.happens(0.15) ? 0 : chance.whole(1, 24));
