export { type EmbeddedOptions, openEmbedded } from './embedded-store.js';
export type { StateIdentity } from './identity.js';
export { LIMITS } from './limits.js';
export { openState, type StateOptions } from './open-state.js';
export { openRedis, type RedisStateOptions } from './redis-store.js';
