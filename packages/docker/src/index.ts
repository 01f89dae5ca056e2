export { createEngine, type EngineOptions } from './engine.js';
export { LABELS } from './labels.js';
export { DEFAULT_LIMITS, type Limits } from './limits.js';
