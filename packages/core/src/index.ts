export * from './errors.js';
export * from './keys.js';
export * from './model.js';
export * from './parsed.js';
export * from './ports.js';
export * from './telemetry.js';
export * from './traffic.js';
