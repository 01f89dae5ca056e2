export { type Controller, type ControllerOptions, startController } from './controller.js';
export { createCandidate, LEASE_MS, type Leadership } from './leadership.js';
export { createRound, type RoundOptions, type RoundResult } from './round.js';
