export { createHaproxy } from './haproxy.js';
export type { HaproxyOptions } from './options.js';
export { type Rendered, render, type Surroundings } from './render.js';
export { groupServices } from './virtual-service.js';
