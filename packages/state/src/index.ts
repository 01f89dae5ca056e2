export { type EmbeddedOptions, openEmbedded } from './embedded-store.js';
export type { StateIdentity } from './identity.js';
export { LIMITS } from './limits.js';
export { openRedis, type RedisStateOptions } from './open-redis.js';
export { openState, type StateOptions } from './open-state.js';
