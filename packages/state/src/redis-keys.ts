/** Every key of the cluster state in Redis, spelled once. One hash tag puts them all into one slot of a Redis cluster. */
export interface RedisKeys {
  /** The keys every script gets, in the order `moment.lua` names them. */
  readonly all: readonly string[];
  readonly values: string;
  readonly wake: string;
  readonly topics: string;
  readonly topicEnds: string;
  readonly settling: string;
  readonly offers: string;
  /** Never exists. */
  readonly absent: string;
  /** Where an owner's copy is gathered before it becomes the state. */
  readonly staging: (owner: string) => string;
  readonly log: (name: string) => string;
  readonly operation: (id: string) => string;
}

export function redisKeys(prefix: string): RedisKeys {
  const tag = `{reactor:${prefix}}`;
  return {
    all: ['moment', 'values', 'index', 'leases', 'leased', 'changes', 'wake'].map((name) => `${tag}:${name}`),
    values: `${tag}:values`,
    wake: `${tag}:wake`,
    topics: `${tag}:topics`,
    topicEnds: `${tag}:topic-ends`,
    settling: `${tag}:settling`,
    offers: `${tag}:offers`,
    absent: `${tag}:absent`,
    staging: (owner) => `${tag}:staging:${owner}`,
    log: (name) => `${tag}:log:${name}`,
    operation: (id) => `${tag}:operation:${id}`,
  };
}
