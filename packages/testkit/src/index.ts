export * from './builders.js';
export * from './world.js';
export * from './engine-conformance.js';
export * from './fake-engine.js';
